package identities

import (
	"sync"
	"time"

	"gatehouse/internal/lang/iampolicy"
)

// A builtin is a managed policy of AWS, with a document of ours: it grants what the
// name promises for the services that Gatehouse has. They cannot be changed.
type builtin struct {
	managedPolicy
	policy *iampolicy.Policy
}

// builtins are the managed policies that API Gateway, its functions and their
// operators use. actions are allowed on every resource.
var builtins = []struct {
	path, name, description string
	actions                 string // a JSON list
}{
	{"/", "AdministratorAccess", "Provides full access to AWS services and resources.", `["*"]`},
	{"/", "PowerUserAccess", "Provides full access to AWS services and resources, but does not allow management of users and groups.",
		`["apigateway:*","execute-api:*","lambda:*","acm:*","wafv2:*","logs:*","s3:*","tag:*","sts:*","iam:ListRoles","gatehouse:Get*","gatehouse:List*"]`},
	{"/", "ReadOnlyAccess", "Provides read-only access to AWS services and resources.",
		`["apigateway:GET","lambda:Get*","lambda:List*","acm:Describe*","acm:Get*","acm:List*","wafv2:Get*","wafv2:List*","wafv2:Describe*","wafv2:CheckCapacity","logs:Describe*","logs:Get*","logs:FilterLogEvents","logs:List*","s3:Get*","s3:List*","s3:HeadBucket","tag:Get*","iam:Get*","iam:List*","iam:Simulate*","sts:GetAccessKeyInfo","gatehouse:Get*","gatehouse:List*"]`},
	{"/", "IAMFullAccess", "Provides full access to IAM.", `["iam:*"]`},
	{"/", "IAMReadOnlyAccess", "Provides read only access to IAM.", `["iam:Get*","iam:List*","iam:Simulate*"]`},
	{"/", "AmazonAPIGatewayAdministrator", "Provides full access to create, edit and delete APIs in Amazon API Gateway.", `["apigateway:*"]`},
	{"/", "AmazonAPIGatewayInvokeFullAccess", "Provides full access to invoke APIs in Amazon API Gateway.", `["execute-api:Invoke","execute-api:ManageConnections"]`},
	{"/service-role/", "AmazonAPIGatewayPushToCloudWatchLogs", "Allows API Gateway to push logs to user's account.",
		`["logs:CreateLogGroup","logs:CreateLogStream","logs:DescribeLogGroups","logs:DescribeLogStreams","logs:PutLogEvents","logs:GetLogEvents","logs:FilterLogEvents"]`},
	{"/service-role/", "AWSLambdaBasicExecutionRole", "Provides write permissions to CloudWatch Logs.", `["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"]`},
	{"/service-role/", "AWSLambdaVPCAccessExecutionRole", "Provides minimum permissions for a function to run within a VPC and write logs.",
		`["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents","ec2:CreateNetworkInterface","ec2:DescribeNetworkInterfaces","ec2:DescribeSubnets","ec2:DeleteNetworkInterface","ec2:AssignPrivateIpAddresses","ec2:UnassignPrivateIpAddresses"]`},
	{"/service-role/", "AWSLambdaRole", "Default policy for an AWS Lambda service role that invokes functions.", `["lambda:InvokeFunction"]`},
	{"/", "AWSLambda_FullAccess", "Grants full access to the AWS Lambda service and what its console uses.", `["lambda:*","iam:GetRole","iam:GetRolePolicy","iam:ListAttachedRolePolicies","iam:ListRolePolicies","iam:ListRoles","iam:PassRole","logs:DescribeLogStreams","logs:GetLogEvents","logs:FilterLogEvents","logs:DescribeLogGroups","tag:GetResources"]`},
	{"/", "AWSLambda_ReadOnlyAccess", "Grants read-only access to the AWS Lambda service and what its console uses.", `["lambda:Get*","lambda:List*","iam:GetRole","iam:ListRoles","logs:DescribeLogGroups","logs:DescribeLogStreams","logs:GetLogEvents","logs:FilterLogEvents","tag:GetResources"]`},
	{"/", "AWSLambdaExecute", "Provides Put, Get access to S3 and full access to CloudWatch Logs.", `["logs:*","s3:GetObject","s3:PutObject"]`},
	{"/", "AmazonS3FullAccess", "Provides full access to all buckets.", `["s3:*"]`},
	{"/", "AmazonS3ReadOnlyAccess", "Provides read only access to all buckets.", `["s3:Get*","s3:List*","s3:Describe*"]`},
	{"/", "CloudWatchLogsFullAccess", "Provides full access to CloudWatch Logs.", `["logs:*"]`},
	{"/", "CloudWatchLogsReadOnlyAccess", "Provides read only access to CloudWatch Logs.", `["logs:Describe*","logs:Get*","logs:List*","logs:FilterLogEvents"]`},
	{"/", "AWSWAFFullAccess", "Provides full access to AWS WAF actions.", `["wafv2:*","apigateway:SetWebACL"]`},
	{"/", "AWSWAFReadOnlyAccess", "Provides read only access to AWS WAF actions.", `["wafv2:Get*","wafv2:List*","wafv2:Describe*","wafv2:CheckCapacity"]`},
	{"/", "AWSCertificateManagerFullAccess", "Provides full access to AWS Certificate Manager.", `["acm:*"]`},
	{"/", "AWSCertificateManagerReadOnly", "Provides read only access to AWS Certificate Manager.", `["acm:DescribeCertificate","acm:ListCertificates","acm:GetCertificate","acm:ListTagsForCertificate","acm:GetAccountConfiguration"]`},
	{"/", "AWSXRayDaemonWriteAccess", "Allows to relay raw trace segments and to retrieve sampling data.", `["xray:PutTraceSegments","xray:PutTelemetryRecords","xray:GetSamplingRules","xray:GetSamplingTargets","xray:GetSamplingStatisticSummaries"]`},
}

// builtinTime is when our documents were written.
var builtinTime = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

var builtinIndex = sync.OnceValues(func() (map[string]*builtin, []*builtin) {
	index, list := map[string]*builtin{}, []*builtin{}
	for i, b := range builtins {
		document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":` + b.actions + `,"Resource":"*"}]}`
		p, err := iampolicy.Parse(document, iampolicy.Identity)
		if err != nil {
			panic("identities: " + b.name + ": " + err.Error()) // the text is ours
		}
		id := "ANPAGATEHOUSEBUILTI"
		m := &builtin{policy: p, managedPolicy: managedPolicy{
			Name: b.name, Path: b.path, ARN: "arn:aws:iam::aws:policy" + b.path + b.name, Description: b.description,
			ID: id + string(rune('A'+i/26)) + string(rune('A'+i%26)), Created: builtinTime, Updated: builtinTime, Default: "v1", Next: 2,
			Versions: []policyVersion{{ID: "v1", Document: document, Created: builtinTime}},
		}}
		index[m.ARN] = m
		list = append(list, m)
	}
	return index, list
})

// awsManaged returns a managed policy of AWS, or nil.
func awsManaged(arn string) *builtin {
	index, _ := builtinIndex()
	return index[arn]
}
