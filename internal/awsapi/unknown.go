package awsapi

import (
	"net/http"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/awsapi/wire"
	"gatehouse/internal/awsapi/xmlbody"
)

// queryServices and xmlServices are services that Gatehouse does not have and that
// clients of API Gateway are likely to call beside it: Terraform reads an error that is
// not in the service's own form as a failure to decode, and tries again.
var (
	queryServices = []string{"autoscaling", "cloudformation", "elasticache", "elasticbeanstalk", "elasticloadbalancing",
		"monitoring", "rds", "redshift", "ses", "sns", "email"}
	xmlServices = []string{"cloudfront", "route53", "s3", "s3-outposts", "s3express"}
)

// refuseUnknown answers a call of a service that Gatehouse does not have, in the
// protocol of that service as far as it can be told.
func refuseUnknown(w http.ResponseWriter, r *http.Request, name string, e *awserr.Error, ids wire.IDs) {
	svc := &schema.Service{Name: name, Protocol: schema.RESTJSON}
	switch {
	case name == "ec2":
		refuseEC2(w, e, ids)
		return
	case r.Header.Get("X-Amz-Target") != "":
		svc.Protocol = schema.JSON11
	case slices.Contains(queryServices, name), isForm(r):
		svc.Protocol = schema.Query
	case slices.Contains(xmlServices, name):
		svc.Protocol = schema.RESTXML
		svc.WrappedErrors = !strings.HasPrefix(name, "s3")
	}
	codecOf(svc.Protocol).Refuse(w, svc, e, ids)
}

// refuseEC2 writes an error in the form that only EC2 has.
func refuseEC2(w http.ResponseWriter, e *awserr.Error, ids wire.IDs) {
	b := xmlbody.Open([]byte(xmlbody.Declaration), "Response", "")
	b = xmlbody.Open(b, "Errors", "")
	b = xmlbody.Open(b, "Error", "")
	b = xmlbody.Element(b, "Code", e.Code)
	b = xmlbody.Element(b, "Message", e.Message)
	b = xmlbody.Close(b, "Error")
	b = xmlbody.Close(b, "Errors")
	b = xmlbody.Element(b, "RequestID", ids.Request)
	b = xmlbody.Close(b, "Response")
	w.Header()["x-amzn-RequestId"] = []string{ids.Request}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(e.Status)
	w.Write(b)
}
