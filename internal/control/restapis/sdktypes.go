package restapis

import (
	"context"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/opt"
)

// javascript is the one kind of SDK that is generated.
var javascript = apigateway.SdkType{
	Id: opt.Of("javascript"), FriendlyName: opt.Of("JavaScript"),
	Description: opt.Of("An ECMAScript module without dependencies, for browsers and Node.js"),
}

// otherSDKs are the kinds that the service has and that are not offered here.
var otherSDKs = []string{"android", "java", "objectivec", "ruby", "swift"}

// checkSDKType refuses every kind of SDK but the one that is offered.
func checkSDKType(id string) error {
	switch {
	case id == *javascript.Id:
		return nil
	case slices.Contains(otherSDKs, id):
		return badRequest("SDKs of type " + id + " are not offered; offered is: " + *javascript.Id)
	}
	return apigateway.NotFoundException("Invalid SDK type identifier specified: " + id + ". Types of the service are: " +
		*javascript.Id + " (offered), " + strings.Join(otherSDKs, ", ") + " (not offered)")
}

// GetSdkType returns a kind of SDK.
func (s *RestAPIs) GetSdkType(_ context.Context, in *apigateway.GetSdkTypeInput) (*apigateway.SdkType, error) {
	if err := checkSDKType(*in.Id); err != nil {
		return nil, err
	}
	return &javascript, nil
}

// GetSdkTypes lists the kinds of SDKs that are offered: one page always holds them.
func (s *RestAPIs) GetSdkTypes(context.Context, *apigateway.GetSdkTypesInput) (*apigateway.GetSdkTypesOutput, error) {
	return &apigateway.GetSdkTypesOutput{Items: []apigateway.SdkType{javascript}}, nil
}
