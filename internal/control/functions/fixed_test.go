package functions_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// What has one value here can be read and set to it, and to nothing else.
func TestFixedSettings(t *testing.T) {
	f := newFixture(t)
	f.create("fn", "1", nil)
	name := aws.String("fn")
	if out, err := f.PutRuntimeManagementConfig(t.Context(), &sdk.PutRuntimeManagementConfigInput{FunctionName: name, UpdateRuntimeOn: types.UpdateRuntimeOnAuto}); err != nil || out.UpdateRuntimeOn != types.UpdateRuntimeOnAuto {
		t.Errorf("runtime management: %+v, %v", out, err)
	}
	_, err := f.PutRuntimeManagementConfig(t.Context(), &sdk.PutRuntimeManagementConfigInput{FunctionName: name, UpdateRuntimeOn: types.UpdateRuntimeOnFunctionUpdate})
	refused(t, err, "InvalidParameterValueException", "UpdateRuntimeOn FunctionUpdate is not supported")
	if out, err := f.PutFunctionRecursionConfig(t.Context(), &sdk.PutFunctionRecursionConfigInput{FunctionName: name, RecursiveLoop: types.RecursiveLoopTerminate}); err != nil || out.RecursiveLoop != types.RecursiveLoopTerminate {
		t.Errorf("recursion: %+v, %v", out, err)
	}
	_, err = f.PutFunctionRecursionConfig(t.Context(), &sdk.PutFunctionRecursionConfigInput{FunctionName: name, RecursiveLoop: types.RecursiveLoopAllow})
	refused(t, err, "InvalidParameterValueException", "RecursiveLoop Allow is not supported")
	_, err = f.GetProvisionedConcurrencyConfig(t.Context(), &sdk.GetProvisionedConcurrencyConfigInput{FunctionName: name, Qualifier: aws.String("1")})
	refused(t, err, "ProvisionedConcurrencyConfigNotFoundException", "No Provisioned Concurrency Config")
	if out, err := f.ListProvisionedConcurrencyConfigs(t.Context(), &sdk.ListProvisionedConcurrencyConfigsInput{FunctionName: name}); err != nil || len(out.ProvisionedConcurrencyConfigs) != 0 {
		t.Errorf("provisioned concurrency: %+v, %v", out, err)
	}
	if out, err := f.ListEventSourceMappings(t.Context(), &sdk.ListEventSourceMappingsInput{FunctionName: name}); err != nil || len(out.EventSourceMappings) != 0 {
		t.Errorf("event sources: %+v, %v", out, err)
	}
	_, err = f.GetRuntimeManagementConfig(t.Context(), &sdk.GetRuntimeManagementConfigInput{FunctionName: aws.String("none")})
	refused(t, err, "ResourceNotFoundException", "function:none")
}
