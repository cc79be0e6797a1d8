// Package awscall knows how AWS services are called: under which name their requests are
// signed, in which protocol their actions are asked for, and where their endpoints are
// (routing-and-integrations, section 4.3).
//
// The compiler calls it for each integration of type AWS; configuration is checked by it. What
// it returns is not modified and safe for concurrent use.
package awscall

import (
	"fmt"
	"net/url"
	"strings"

	"gatehouse/internal/lang/awsuri"
)

// A Call is how one URI is asked for.
type Call struct {
	Service string // the service's name in the URI: "sqs"
	Signing string // its name in signatures: "sqs"
	Region  string // of the signature

	// EncodeOnce is set for S3, whose signatures encode the path once.
	EncodeOnce bool

	// Path begins with "/" and may have placeholders.
	Path string
	// Query is what the action and the URI put into the query string, raw, with placeholders.
	Query string

	// Target is the X-Amz-Target of an action, "" where the service wants none or an
	// integration has to map it itself (EventBridge).
	Target string
	// ContentType is that of an action's body; "" leaves the request's own.
	ContentType string

	// Parameters are sent as members of a JSON body when there is none, and the answer is
	// wrapped as the service's older protocol does: SSM.
	Wrapped bool

	// Action is the name of the action, "" for paths.
	Action string
}

// A protocol is how a service takes actions.
type protocol struct {
	target  string // prefix of X-Amz-Target
	json    string // "1.0" or "1.1"; "" for the Query protocol
	version string // of the Query protocol
	signing string // when it is not the service's name
	global  bool   // signed for us-east-1, wherever it is called from
}

// protocols are the services whose actions or signatures are not what their name says. Query
// is taken for all others, without a version.
var protocols = map[string]protocol{
	"dynamodb":          {target: "DynamoDB_20120810", json: "1.0"},
	"streams.dynamodb":  {target: "DynamoDBStreams_20120810", json: "1.0"},
	"kinesis":           {target: "Kinesis_20131202", json: "1.1"},
	"firehose":          {target: "Firehose_20150804", json: "1.1"},
	"ssm":               {target: "AmazonSSM", json: "1.1"},
	"states":            {target: "AWSStepFunctions", json: "1.0"},
	"sync-states":       {target: "AWSStepFunctions", json: "1.0", signing: "states"},
	"events":            {json: "1.1"}, // the integration maps X-Amz-Target itself
	"logs":              {target: "Logs_20140328", json: "1.1"},
	"kms":               {target: "TrentService", json: "1.1"},
	"secretsmanager":    {target: "secretsmanager", json: "1.1"},
	"acm":               {target: "CertificateManager", json: "1.1"},
	"wafv2":             {target: "AWSWAF_20190729", json: "1.1"},
	"athena":            {target: "AmazonAthena", json: "1.1"},
	"glue":              {target: "AWSGlue", json: "1.1"},
	"comprehend":        {target: "Comprehend_20171127", json: "1.1"},
	"rekognition":       {target: "RekognitionService", json: "1.1"},
	"textract":          {target: "Textract", json: "1.1"},
	"translate":         {target: "AWSShineFrontendService_20170701", json: "1.1"},
	"transcribe":        {target: "Transcribe", json: "1.1"},
	"ecs":               {target: "AmazonEC2ContainerServiceV20141113", json: "1.1"},
	"codebuild":         {target: "CodeBuild_20161006", json: "1.1"},
	"codepipeline":      {target: "CodePipeline_20150709", json: "1.1"},
	"cognito-idp":       {target: "AWSCognitoIdentityProviderService", json: "1.1"},
	"cognito-identity":  {target: "AWSCognitoIdentityService", json: "1.1"},
	"sqs":               {version: "2012-11-05"},
	"sns":               {version: "2010-03-31"},
	"sts":               {version: "2011-06-15"},
	"iam":               {version: "2010-05-08", global: true},
	"email":             {version: "2010-12-01", signing: "ses"},
	"monitoring":        {version: "2010-08-01"},
	"cloudformation":    {version: "2010-05-15"},
	"ec2":               {version: "2016-11-15"},
	"autoscaling":       {version: "2011-01-01"},
	"rds":               {version: "2014-10-31"},
	"elasticache":       {version: "2015-02-02"},
	"redshift":          {version: "2012-12-01"},
	"elasticbeanstalk":  {version: "2010-12-01"},
	"route53":           {global: true},
	"data.iot":          {signing: "iotdata"},
	"runtime.sagemaker": {signing: "sagemaker"},
	"runtime.lex":       {signing: "lex"},
}

// Describe says how a URI is asked for. Its stage variables are resolved.
func Describe(u awsuri.URI) Call {
	p := protocolOf(u)
	c := Call{Service: u.Service, Signing: u.Service, Region: u.Region, EncodeOnce: u.Service == "s3", Action: u.Action, Path: u.Path, Query: u.Query}
	if p.signing != "" {
		c.Signing = p.signing
	}
	if p.global {
		c.Region = "us-east-1"
	}
	if c.Action == "" {
		return c
	}
	c.Path = "/"
	if p.json != "" {
		c.ContentType = "application/x-amz-json-" + p.json
		if p.target != "" {
			c.Target = p.target + "." + c.Action
		}
		c.Wrapped = c.Service == "ssm"
		return c
	}
	query := "Action=" + c.Action
	if p.version != "" {
		query += "&Version=" + p.version
	}
	if c.Query != "" {
		query += "&" + c.Query
	}
	c.Query = query
	return c
}

func protocolOf(u awsuri.URI) protocol {
	if u.Subdomain != "" {
		if p, ok := protocols[u.Subdomain+"."+u.Service]; ok {
			return p
		}
	}
	return protocols[u.Service]
}

// Own, as an endpoint, is Gatehouse itself.
const Own = "gatehouse"

// An Endpoint is where a service is called.
type Endpoint struct {
	Own    bool   // Gatehouse itself serves it
	AWS    bool   // AWS's own endpoint: nothing was configured
	Scheme string // http or https
	Host   string // with the port, when it has one; of Own, AWS's name of the service, for logs
	Prefix string // of the path; "" or "/x", without a slash at its end
}

// Endpoints are configured endpoints by the name that integrations call a service by, with its
// subdomain or without; "*" is for all others. Values are URLs, in which {service} and
// {region} are replaced, or Own.
type Endpoints map[string]string

// Resolve finds where u is called. own reports whether Gatehouse serves a service itself: such
// services stay here unless they are configured.
func (e Endpoints) Resolve(u awsuri.URI, own func(signing string) bool) (Endpoint, error) {
	text := ""
	if u.Subdomain != "" {
		text = e[u.Subdomain+"."+u.Service]
	}
	if text == "" {
		text = e[u.Service]
	}
	if text == "" && own(Describe(u).Signing) {
		text = Own
	}
	if text == "" {
		text = e["*"]
	}
	switch text {
	case Own:
		return Endpoint{Own: true, Scheme: "https", Host: u.Host()}, nil
	case "":
		host := u.Host()
		if p := protocolOf(u); p.global {
			host = u.Service + ".amazonaws.com"
		}
		return Endpoint{AWS: true, Scheme: "https", Host: host}, nil
	}
	return parseEndpoint(strings.NewReplacer("{service}", u.Service, "{region}", u.Region).Replace(text))
}

// Check reports what is wrong with an endpoint of a configuration, "" for nothing.
func Check(text string) (want string) {
	if text == Own {
		return ""
	}
	if _, err := parseEndpoint(strings.NewReplacer("{service}", "x", "{region}", "x").Replace(text)); err != nil {
		return "an http or https URL without a query, which may have {service} and {region}, or " + Own
	}
	return ""
}

func parseEndpoint(text string) (Endpoint, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Endpoint{}, fmt.Errorf("endpoint %q: %w", text, err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(text, "{}") {
		return Endpoint{}, fmt.Errorf("endpoint %q: want an http or https URL without a query", text)
	}
	return Endpoint{Scheme: u.Scheme, Host: u.Host, Prefix: strings.TrimSuffix(u.EscapedPath(), "/")}, nil
}
