package functions

import (
	"context"
	"fmt"
	"maps"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// Limits of a function's configuration (Lambda quotas). Ranges of numbers are in the
// service's model and checked before.
const (
	maxEnvironment = 4096
	maxLayers      = 5
)

// unsupported refuses settings that Lambda has and that have no effect here: they are
// never stored without one.
func unsupported(settings map[string]bool) error {
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if settings[name] {
			return invalid(name + " is not supported by Gatehouse: leave it out")
		}
	}
	return nil
}

func (f *Functions) refuseForCreate(in *lambda.CreateFunctionInput) error {
	if in.PackageType != nil && *in.PackageType != lambda.PackageTypeZip {
		return invalid("PackageType Image is not supported by Gatehouse: want Zip")
	}
	return unsupported(map[string]bool{
		"VpcConfig": usesVPC(in.VpcConfig), "DeadLetterConfig": in.DeadLetterConfig != nil && opt.Value(in.DeadLetterConfig.TargetArn) != "",
		"KMSKeyArn": opt.Value(in.KMSKeyArn) != "", "FileSystemConfigs": len(in.FileSystemConfigs) > 0, "ImageConfig": in.ImageConfig != nil,
		"CodeSigningConfigArn": in.CodeSigningConfigArn != nil, "SnapStart": usesSnapStart(in.SnapStart), "LoggingConfig": usesJSONLogs(in.LoggingConfig),
		"CapacityProviderConfig": in.CapacityProviderConfig != nil, "PublishTo": in.PublishTo != nil, "DurableConfig": in.DurableConfig != nil,
		"TenancyConfig": in.TenancyConfig != nil, "Code.SourceKMSKeyArn": in.Code != nil && in.Code.SourceKMSKeyArn != nil,
	})
}

func refuseForUpdate(in *lambda.UpdateFunctionConfigurationInput) error {
	return unsupported(map[string]bool{
		"VpcConfig": usesVPC(in.VpcConfig), "DeadLetterConfig": in.DeadLetterConfig != nil && opt.Value(in.DeadLetterConfig.TargetArn) != "",
		"KMSKeyArn": opt.Value(in.KMSKeyArn) != "", "FileSystemConfigs": len(in.FileSystemConfigs) > 0, "ImageConfig": in.ImageConfig != nil,
		"SnapStart": usesSnapStart(in.SnapStart), "LoggingConfig": usesJSONLogs(in.LoggingConfig),
		"CapacityProviderConfig": in.CapacityProviderConfig != nil, "DurableConfig": in.DurableConfig != nil,
	})
}

func usesVPC(c *lambda.VpcConfig) bool {
	return c != nil && len(c.SubnetIds)+len(c.SecurityGroupIds) > 0
}

func usesSnapStart(c *lambda.SnapStart) bool {
	return c != nil && opt.Text(c.ApplyOn) != "" && opt.Text(c.ApplyOn) != "None"
}

func usesJSONLogs(c *lambda.LoggingConfig) bool {
	return c != nil && (opt.Text(c.LogFormat) == "JSON" || c.ApplicationLogLevel != nil || c.SystemLogLevel != nil)
}

// configure applies what an update of the configuration says to a version.
func (f *Functions) configure(ctx context.Context, tx *store.Tx, v *model.FunctionVersion, in *lambda.UpdateFunctionConfigurationInput) error {
	set(&v.Role, in.Role)
	set(&v.Handler, in.Handler)
	set(&v.Description, in.Description)
	if in.Runtime != nil {
		v.Runtime = string(*in.Runtime)
	}
	if in.Timeout != nil {
		v.Timeout = int(*in.Timeout)
	}
	if in.MemorySize != nil {
		v.Memory = int(*in.MemorySize)
	}
	if in.EphemeralStorage != nil {
		v.Storage = int(*in.EphemeralStorage.Size)
	}
	if in.TracingConfig != nil {
		v.Tracing = opt.Text(in.TracingConfig.Mode)
	}
	if in.LoggingConfig != nil {
		v.LogGroup = opt.Value(in.LoggingConfig.LogGroup)
	}
	if in.Environment != nil {
		if err := checkEnvironment(in.Environment.Variables); err != nil {
			return err
		}
		v.Environment = maps.Clone(in.Environment.Variables)
	}
	if in.Layers != nil {
		used, err := f.resolveLayers(ctx, tx, in.Layers)
		if err != nil {
			return err
		}
		v.Layers = used
	}
	if v.Runtime == "" || v.Handler == "" {
		return invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	}
	return nil
}

func set(to *string, from *string) {
	if from != nil {
		*to = *from
	}
}

// Variables that belong to the runtime cannot be set.
var reserved = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
	"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME",
	"AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}

func checkEnvironment(vars map[string]string) error {
	size := 0
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if slices.Contains(reserved, name) {
			return invalid("Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys " +
				"that are currently not supported for modification. Reserved keys used in this request: " + name)
		}
		if strings.ContainsRune(vars[name], 0) || !utf8.ValidString(vars[name]) {
			return invalid("The value of the environment variable " + name + " is not text")
		}
		size += len(name) + len(vars[name])
	}
	if size > maxEnvironment {
		return invalid(fmt.Sprintf("Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the %d bytes limit.", maxEnvironment))
	}
	return nil
}

// hostArch is the architecture of this machine in Lambda's words.
func hostArch() string {
	if goruntime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}

// architecture reads the architectures of a call. Programs of another one do not run
// here; interpreted code runs on any.
func architecture(given []lambda.Architecture, runtime string) (string, error) {
	if len(given) == 0 {
		return hostArch(), nil
	}
	a := string(given[0])
	if a != hostArch() && strings.HasPrefix(runtime, "provided") {
		return "", invalid("Architecture " + a + " is not supported by this machine for the runtime " + runtime + ": want " + hostArch())
	}
	return a, nil
}

// checkRole sees that the role can be passed by the caller and assumed by Lambda.
func (f *Functions) checkRole(ctx context.Context, role string) error {
	if err := f.MayPass(ctx, role); err != nil {
		return err
	}
	if _, err := f.Credentials(ctx, role, "gatehouse-check"); err != nil {
		return invalid("The role defined for the function cannot be assumed by Lambda.")
	}
	return nil
}

// resolveLayers finds the layer versions that a function uses.
func (f *Functions) resolveLayers(ctx context.Context, tx *store.Tx, arns []string) ([]model.FunctionLayer, error) {
	if len(arns) > maxLayers {
		return nil, invalid(fmt.Sprintf("Cannot reference more than %d layers.", maxLayers))
	}
	out := []model.FunctionLayer{}
	for _, arn := range arns {
		name, number, ok := layerVersion(ctx, arn)
		if !ok {
			return nil, invalid("Layer version " + arn + " does not exist.")
		}
		l, err := layers.Get(tx, operation.Scope(ctx), name)
		if err != nil {
			return nil, orNoLayer(err, arn)
		}
		v := findLayer(&l, number)
		if v == nil {
			return nil, invalid("Layer version " + arn + " does not exist.")
		}
		if slices.ContainsFunc(out, func(o model.FunctionLayer) bool { n, _, _ := layerVersion(ctx, o.ARN); return n == name }) {
			return nil, invalid("Two different versions of the same layer are not allowed to be referenced in the same function. Layer: " + name)
		}
		out = append(out, model.FunctionLayer{ARN: arn, CodeSHA256: v.CodeSHA256, CodeSize: v.CodeSize})
	}
	return out, nil
}

// layerVersion splits the ARN of a layer version of the caller's account and Region.
func layerVersion(ctx context.Context, arn string) (name string, number int64, ok bool) {
	sc := operation.Scope(ctx)
	return layerVersionIn(sc, arn)
}

func layerVersionIn(sc store.Scope, arn string) (name string, number int64, ok bool) {
	rest, ok := strings.CutPrefix(arn, "arn:aws:lambda:"+sc.Region+":"+sc.Account+":layer:")
	if !ok {
		return "", 0, false
	}
	name, text, ok := strings.Cut(rest, ":")
	number, err := strconv.ParseInt(text, 10, 64)
	return name, number, ok && err == nil
}
