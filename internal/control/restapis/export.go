package restapis

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/openapi"
	"gatehouse/internal/store"
)

// GetExport writes what a stage serves, its deployed snapshot, as an OpenAPI document.
func (s *RestAPIs) GetExport(ctx context.Context, in *apigateway.GetExportInput) (*apigateway.GetExportOutput, error) {
	o, err := exportOptions(*in.ExportType, in.Parameters)
	if err != nil {
		return nil, err
	}
	form := opt.Value(in.Accepts)
	switch form {
	case "", "*/*", "application/json":
		form = "json"
	case "application/yaml":
		form = "yaml"
	default:
		return nil, badRequest("Invalid accepts specified: " + form + ". Valid options are application/json,application/yaml")
	}
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetExportOutput, error) {
		d, err := loadDeployed(ctx, tx, *in.RestApiId, *in.StageName)
		if err != nil {
			return nil, err
		}
		o.Host, o.Stage, o.Version = s.endpoint(operation.Scope(ctx), *in.RestApiId), *in.StageName, d.created.UTC().Format(time.RFC3339)
		tree, err := openapi.Export(&d.API, o)
		if err != nil {
			return nil, badRequest(err.Error())
		}
		out := &apigateway.GetExportOutput{ContentType: opt.Of("application/octet-stream"), Body: tree.JSON()}
		if form == "yaml" {
			out.Body = tree.YAML()
		}
		version := d.Snapshot.API.Version
		if version == "" {
			version = o.Version
		}
		out.ContentDisposition = opt.Of(`attachment; filename="` + *in.ExportType + "_" + fileName(version) + "." + form + `"`)
		return out, nil
	})
}

// exportOptions reads what an export is to show; extensions are a list, or given one by one.
func exportOptions(exportType string, parameters map[string]string) (o openapi.ExportOptions, err error) {
	switch exportType {
	case "oas30":
		o.OpenAPI3 = true
	case "swagger":
	default:
		return o, badRequest("Invalid export type specified: " + exportType + ". Valid options are oas30,swagger")
	}
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if name != "extensions" {
			return o, badRequest("Invalid parameter specified: " + name + ". Valid parameters are extensions")
		}
		for e := range strings.SplitSeq(parameters[name], ",") {
			switch strings.TrimSpace(e) {
			case "":
			case "integrations":
				o.Integrations = true
			case "authorizers":
				o.Authorizers = true
			case "apigateway":
				o.Gateway = true
			case "documentation":
				o.Documentation = true
			default:
				return o, badRequest("Invalid extensions specified: " + e + ". Valid options are apigateway,authorizers,documentation,integrations")
			}
		}
	}
	return o, nil
}

// fileName keeps of a text what may stand in a file's name.
func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f || strings.ContainsRune(`"\/`, r) {
			return '_'
		}
		return r
	}, s)
}

// deployed is what a stage serves.
type deployed struct {
	openapi.API
	stage   model.Stage
	created time.Time // of the deployment
}

// loadDeployed loads the snapshot of a stage with its version of the documentation.
func loadDeployed(ctx context.Context, tx *store.Tx, api, stage string) (d deployed, err error) {
	owner := operation.Scope(ctx).Of(api)
	if _, err := getAPI(tx, operation.Scope(ctx), api, noAPI(ctx, api)); err != nil {
		return d, err
	}
	if d.stage, err = stages.Get(tx, owner, stage); err != nil {
		return d, operation.OrElse(err, noStage())
	}
	deployment, err := deployments.Get(tx, owner, d.stage.DeploymentID)
	if err != nil {
		return d, operation.OrElse(err, noDeployment())
	}
	d.created = deployment.CreatedDate
	if d.Snapshot, err = snapshots.Get(tx, owner, d.stage.DeploymentID); err != nil {
		return d, operation.OrElse(err, noDeployment())
	}
	if d.DocumentationVersion = d.stage.DocumentationVersion; d.DocumentationVersion == "" {
		return d, nil
	}
	v, err := docVersions.Get(tx, owner, d.DocumentationVersion)
	d.Documentation = v.Parts
	return d, operation.OrElse(err, noDocVersion())
}

// endpoint is the host of an API's default endpoint, with its port where one is needed.
func (s *RestAPIs) endpoint(in store.Scope, api string) string {
	if s.Endpoint == nil {
		return api + ".execute-api." + in.Region + ".amazonaws.com"
	}
	return s.Endpoint(api, in.Region)
}
