package awsapi_test

import (
	"encoding/json"
	"testing"
)

// The texts that the real service was seen to answer: reference page "behaviour
// recorded from the real service", section 1.
func TestRecordedTexts(t *testing.T) {
	f, _, _ := gateway(t)
	const (
		opSet    = "Member must satisfy enum value set: [add, remove, move, test, replace, copy]"
		doctypes = "Member must satisfy enum value set: [RESPONSE_BODY, RESPONSE, METHOD, MODEL, AUTHORIZER, RESPONSE_HEADER, RESOURCE, PATH_PARAMETER, REQUEST_BODY, QUERY_PARAMETER, API, REQUEST_HEADER]"
		resource = "/restapis/a/resources/r"
	)
	for _, c := range []struct{ name, method, target, body, code, message string }{
		{"enum", "PUT", resource + "/methods/GET/integration", `{"type":"HTTPS_PROXY"}`, "ValidationException",
			"1 validation error detected: Value 'HTTPS_PROXY' at 'putIntegrationInput.type' failed to satisfy constraint: Member must satisfy enum value set: [HTTP, MOCK, AWS_PROXY, HTTP_PROXY, AWS]"},
		{"list of enum", "POST", "/restapis", `{"name":"n","endpointConfiguration":{"types":["wrong"]}}`, "ValidationException",
			"1 validation error detected: Value '[wrong]' at 'createRestApiInput.endpointConfiguration.types' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [PRIVATE, EDGE, REGIONAL]]"},
		{"the model's order, not the request's", "POST", "/restapis", `{"name":"n","endpointConfiguration":{"ipAddressType":"x","types":["wrong"]}}`, "ValidationException",
			"2 validation errors detected: Value '[wrong]' at 'createRestApiInput.endpointConfiguration.types' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [PRIVATE, EDGE, REGIONAL]]; " +
				"Value 'x' at 'createRestApiInput.endpointConfiguration.ipAddressType' failed to satisfy constraint: Member must satisfy enum value set: [ipv4, dualstack]"},
		{"patch op", "PATCH", "/restapis/a", `{"patchOperations":[{"op":"wrong","path":"/name"}]}`, "ValidationException",
			"1 validation error detected: Value 'wrong' at 'updateRestApiInput.patchOperations.1.member.op' failed to satisfy constraint: " + opSet},
		{"patch ops by position", "PATCH", "/restapis/a", `{"patchOperations":[{"op":"wrong","path":"/name"},{"op":"add","path":"/x"},{"op":"bad"}]}`, "ValidationException",
			"2 validation errors detected: Value 'wrong' at 'updateRestApiInput.patchOperations.1.member.op' failed to satisfy constraint: " + opSet +
				"; Value 'bad' at 'updateRestApiInput.patchOperations.3.member.op' failed to satisfy constraint: " + opSet},
		{"status code in the path", "PUT", resource + "/methods/GET/responses/wrong", `{}`, "ValidationException",
			`1 validation error detected: Value 'wrong' at 'statusCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [1-5]\d\d`},
		{"body before path", "PATCH", resource + "/methods/GET/responses/wrong", `{"patchOperations":[{"op":"wrong"}]}`, "ValidationException",
			"2 validation errors detected: Value 'wrong' at 'updateMethodResponseInput.patchOperations.1.member.op' failed to satisfy constraint: " + opSet +
				`; Value 'wrong' at 'statusCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [1-5]\d\d`},
		{"documentation part", "POST", "/restapis/a/documentation/parts", `{"location":{"type":"INVALID"},"properties":"{}"}`, "ValidationException",
			"1 validation error detected: Value 'INVALID' at 'createDocumentationPartInput.location.type' failed to satisfy constraint: " + doctypes},
		{"boolean for a string", "PUT", resource + "/methods/GET/integration", `{"type":"HTTP","requestParameters":{"a":true}}`, "SerializationException",
			"class java.lang.Boolean can not be converted to an String"},
		{"number for a string", "PATCH", "/restapis/a", `{"patchOperations":[{"op":"replace","path":"/name","value":1}]}`, "SerializationException",
			"class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String"},
		{"wrong type before wrong value", "PUT", resource + "/methods/GET/integration", `{"type":"HTTPS_PROXY","uri":false}`, "SerializationException",
			"class java.lang.Boolean can not be converted to an String"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := f.raw(t, c.method, c.target, c.body, "Authorization: "+signed("apigateway"))
			var got struct{ Message string }
			body := text(t, res.Body)
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			if res.StatusCode != 400 || res.Header.Get("X-Amzn-Errortype") != c.code || got.Message != c.message {
				t.Errorf("got  %d %s\n%s\nwant 400 %s\n%s", res.StatusCode, res.Header.Get("X-Amzn-Errortype"), got.Message, c.code, c.message)
			}
		})
	}
}

// A JSON true is right where the model has a map of booleans.
func TestBooleanMapTakesBooleans(t *testing.T) {
	f, b, _ := gateway(t)
	res := f.raw(t, "PUT", "/restapis/a/resources/r/methods/GET/responses/200", `{"responseParameters":{"method.response.header.X":true}}`, "Authorization: "+signed("apigateway"))
	if res.StatusCode != 201 || b.in == nil {
		t.Errorf("status %d: %s", res.StatusCode, text(t, res.Body))
	}
}
