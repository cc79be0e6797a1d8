package model

import "strings"

// An ARN is an Amazon Resource Name in its six parts.
type ARN struct {
	Partition, Service, Region, Account, Resource string
}

// ParseARN splits an ARN. It reports false when s does not have the six parts
// "arn:partition:service:region:account:resource" with a partition, service and resource.
func ParseARN(s string) (ARN, bool) {
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[1] == "" || p[2] == "" || p[5] == "" {
		return ARN{}, false
	}
	return ARN{Partition: p[1], Service: p[2], Region: p[3], Account: p[4], Resource: p[5]}, true
}

// String writes the ARN.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// APIGatewayARN returns the ARN of a resource of API Gateway's management API: path
// is "/restapis/abc/stages/prod" and so on. Such ARNs carry no account.
func APIGatewayARN(region, path string) string {
	return ARN{Partition: "aws", Service: "apigateway", Region: region, Resource: path}.String()
}

// ExecuteAPIARN returns the ARN under which a method is invoked; path is without its
// leading slash ("pets/1").
func ExecuteAPIARN(region, account, api, stage, method, path string) string {
	return ARN{Partition: "aws", Service: "execute-api", Region: region, Account: account,
		Resource: api + "/" + stage + "/" + method + "/" + path}.String()
}
