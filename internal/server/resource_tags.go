package server

import (
	"context"
	"net/url"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/control/certificates"
	"gatehouse/internal/control/restapis"
)

// resourceTags tells policies the tags of the resource that a call is about
// (aws:ResourceTag), by asking the operation that shows them. What has no tags, or is not
// there, has none that a policy could match; other services' are not known.
func (s *Server) resourceTags(ctx context.Context, service, arn string) (tags map[string]string, known bool, err error) {
	switch service {
	case "apigateway":
		if arn = taggableARN(arn); arn == "" {
			return nil, true, nil
		}
		if tags, err = (&restapis.RestAPIs{Store: s.store}).TagsOf(ctx, arn); err == nil {
			return tags, true, nil
		}
	case "acm":
		var out *acm.ListTagsForCertificateOutput
		reader := &certificates.Certificates{Store: s.store}
		if out, err = reader.ListTagsForCertificate(ctx, &acm.ListTagsForCertificateInput{CertificateArn: &arn}); err == nil {
			return certificateTags(out.Tags), true, nil
		}
	default:
		return nil, false, nil
	}
	if e := awserr.As(err); e != nil && e.Status < 500 {
		return nil, true, nil
	}
	return nil, false, err
}

func certificateTags(list []acm.Tag) map[string]string {
	tags := map[string]string{}
	for _, t := range list {
		value := ""
		if t.Value != nil {
			value = *t.Value
		}
		tags[*t.Key] = value
	}
	return tags
}

// taggable are the collections of API Gateway whose members have tags.
var taggable = map[string]bool{
	"restapis": true, "domainnames": true, "apikeys": true, "usageplans": true, "clientcertificates": true, "vpclinks": true,
}

// taggableARN returns the ARN of what has the tags that a call to API Gateway is judged
// by: a stage, or else the first resource of the path, which what lies below inherits
// from; "" when that can have none. A call on tags is about the resource it names.
func taggableARN(arn string) string {
	prefix, path, ok := strings.Cut(arn, "::/")
	if !ok {
		return ""
	}
	if escaped, ok := strings.CutPrefix(path, "tags/"); ok {
		named, err := url.PathUnescape(escaped)
		if err != nil {
			return ""
		}
		return named
	}
	p := strings.Split(path, "/")
	if len(p) < 2 || p[1] == "" || !taggable[p[0]] {
		return ""
	}
	if len(p) >= 4 && p[0] == "restapis" && p[2] == "stages" && p[3] != "" {
		return prefix + "::/" + strings.Join(p[:4], "/")
	}
	return prefix + "::/" + strings.Join(p[:2], "/")
}
