package server

import "testing"

func TestTaggableARN(t *testing.T) {
	const p = "arn:aws:apigateway:us-east-1::"
	for arn, want := range map[string]string{
		p + "/restapis":     "",
		p + "/account":      "",
		p + "/restapis/abc": p + "/restapis/abc",
		p + "/restapis/abc/resources/x/methods/GET":                           p + "/restapis/abc",
		p + "/restapis/abc/stages":                                            p + "/restapis/abc",
		p + "/restapis/abc/stages/prod":                                       p + "/restapis/abc/stages/prod",
		p + "/restapis/abc/stages/prod/cache/data":                            p + "/restapis/abc/stages/prod",
		p + "/domainnames/a.test/basepathmappings/v":                          p + "/domainnames/a.test",
		p + "/usageplans/u/keys/k":                                            p + "/usageplans/u",
		p + "/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Frestapis%2Fabc": p + "/restapis/abc",
		p + "/tags/%zz": "",
		"*":             "",
	} {
		if got := taggableARN(arn); got != want {
			t.Errorf("%s: got %q, want %q", arn, got, want)
		}
	}
}
