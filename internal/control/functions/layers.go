package functions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

func layerARN(ctx context.Context, name string) string {
	sc := operation.Scope(ctx)
	return "arn:aws:lambda:" + sc.Region + ":" + sc.Account + ":layer:" + name
}

func findLayer(l *model.Layer, number int64) *model.LayerVersion {
	for i := range l.Versions {
		if l.Versions[i].Version == number {
			return &l.Versions[i]
		}
	}
	return nil
}

// orNoLayer turns a missing document into Lambda's answer for a layer that a function
// wants to use.
func orNoLayer(err error, arn string) error {
	if errors.Is(err, store.ErrNotFound) {
		return invalid("Layer version " + arn + " does not exist.")
	}
	return err
}

// layerParts are the packages of a function's layers. They are kept when the layer's
// version is deleted.
func layerParts(sc store.Scope, used []model.FunctionLayer) (parts []part) {
	for _, l := range used {
		if name, _, ok := layerVersionIn(sc, l.ARN); ok {
			parts = append(parts, part{layers.Key(sc, name), l.CodeSHA256})
		}
	}
	return parts
}

// PublishLayerVersion makes a layer, or its next version.
func (f *Functions) PublishLayerVersion(ctx context.Context, in *lambda.PublishLayerVersionInput) (*lambda.PublishLayerVersionOutput, error) {
	c := in.Content
	p, err := f.receive(ctx, c.ZipFile, c.S3Bucket, c.S3Key, c.S3ObjectVersion, nil)
	if err != nil {
		return nil, err
	}
	var out *lambda.PublishLayerVersionOutput
	_, err = f.Store.Update(ctx, func(tx *store.Tx) error {
		sc, name := operation.Scope(ctx), *in.LayerName
		l, err := layers.Get(tx, sc, name)
		if errors.Is(err, store.ErrNotFound) {
			l, err = model.Layer{Name: name}, nil
		}
		if err != nil {
			return err
		}
		l.Counter++
		v := model.LayerVersion{
			Version: l.Counter, Description: opt.Value(in.Description), License: opt.Value(in.LicenseInfo),
			CodeSHA256: p.sha256, CodeSize: p.size, Created: tx.Now(),
		}
		for _, r := range in.CompatibleRuntimes {
			v.Runtimes = append(v.Runtimes, string(r))
		}
		for _, a := range in.CompatibleArchitectures {
			v.Architectures = append(v.Architectures, string(a))
		}
		l.Versions = append(l.Versions, v)
		if err := layers.Put(tx, sc, name, l); err != nil {
			return err
		}
		answer := lambda.PublishLayerVersionOutput(*layerAnswer(ctx, name, &v))
		out = &answer
		return p.attach(tx, layers.Key(sc, name))
	})
	return out, err
}

// layerAnswer is a layer version as Lambda answers it.
func layerAnswer(ctx context.Context, name string, v *model.LayerVersion) *lambda.GetLayerVersionResponse {
	arn := layerARN(ctx, name)
	it := layerItem(ctx, name, v)
	return &lambda.GetLayerVersionResponse{
		Content:  &lambda.LayerVersionContentOutput{CodeSha256: &v.CodeSHA256, CodeSize: &v.CodeSize},
		LayerArn: &arn, LayerVersionArn: it.LayerVersionArn, Description: it.Description, CreatedDate: it.CreatedDate, Version: it.Version,
		CompatibleRuntimes: it.CompatibleRuntimes, LicenseInfo: it.LicenseInfo, CompatibleArchitectures: it.CompatibleArchitectures,
	}
}

func layerItem(ctx context.Context, name string, v *model.LayerVersion) lambda.LayerVersionsListItem {
	it := lambda.LayerVersionsListItem{
		LayerVersionArn: opt.Of(fmt.Sprint(layerARN(ctx, name), ":", v.Version)), Version: opt.Of(v.Version), Description: opt.Of(v.Description),
		CreatedDate: lastModified(v.Created), LicenseInfo: opt.NonZero(v.License),
	}
	for _, r := range v.Runtimes {
		it.CompatibleRuntimes = append(it.CompatibleRuntimes, lambda.Runtime(r))
	}
	for _, a := range v.Architectures {
		it.CompatibleArchitectures = append(it.CompatibleArchitectures, lambda.Architecture(a))
	}
	return it
}

// layerName takes the name of a layer out of the ways in which a call may give it.
func layerName(ctx context.Context, text string) string {
	if name, ok := strings.CutPrefix(text, layerARN(ctx, "")); ok {
		return name
	}
	return text
}

// GetLayerVersion returns a version of a layer.
func (f *Functions) GetLayerVersion(ctx context.Context, in *lambda.GetLayerVersionInput) (*lambda.GetLayerVersionResponse, error) {
	name := layerName(ctx, *in.LayerName)
	return operation.View(ctx, f.Store, func(tx *store.Tx) (*lambda.GetLayerVersionResponse, error) {
		l, err := layers.Get(tx, operation.Scope(ctx), name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		v := findLayer(&l, *in.VersionNumber)
		if v == nil {
			return nil, lambda.ResourceNotFoundException("The resource you requested does not exist.")
		}
		return layerAnswer(ctx, name, v), nil
	})
}

// GetLayerVersionByArn returns a version of a layer.
func (f *Functions) GetLayerVersionByArn(ctx context.Context, in *lambda.GetLayerVersionByArnInput) (*lambda.GetLayerVersionResponse, error) {
	name, number, ok := layerVersion(ctx, *in.Arn)
	if !ok {
		return nil, lambda.ResourceNotFoundException("The resource you requested does not exist.")
	}
	return f.GetLayerVersion(ctx, &lambda.GetLayerVersionInput{LayerName: &name, VersionNumber: &number})
}

// ListLayerVersions lists the versions of a layer, newest first.
func (f *Functions) ListLayerVersions(ctx context.Context, in *lambda.ListLayerVersionsInput) (*lambda.ListLayerVersionsOutput, error) {
	name := layerName(ctx, *in.LayerName)
	return operation.View(ctx, f.Store, func(tx *store.Tx) (*lambda.ListLayerVersionsOutput, error) {
		l, err := layers.Get(tx, operation.Scope(ctx), name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		var list []lambda.LayerVersionsListItem
		for i := len(l.Versions) - 1; i >= 0; i-- {
			v := &l.Versions[i]
			if fits(v.Runtimes, opt.Text(in.CompatibleRuntime)) && fits(v.Architectures, opt.Text(in.CompatibleArchitecture)) {
				list = append(list, layerItem(ctx, name, v))
			}
		}
		out := new(lambda.ListLayerVersionsOutput)
		out.LayerVersions, out.NextMarker = page(list, in.Marker, in.MaxItems, 50, func(it lambda.LayerVersionsListItem) string {
			return fmt.Sprintf("%020d", 1<<62-*it.Version) // newest first
		})
		return out, nil
	})
}

// fits reports whether a layer version that names what it is compatible with is listed
// for want; "" is listed for anything.
func fits(named []string, want string) bool { return want == "" || slices.Contains(named, want) }

// ListLayers lists layers by name, each with its newest version.
func (f *Functions) ListLayers(ctx context.Context, in *lambda.ListLayersInput) (*lambda.ListLayersOutput, error) {
	return operation.View(ctx, f.Store, func(tx *store.Tx) (*lambda.ListLayersOutput, error) {
		var list []lambda.LayersListItem
		for it, err := range layers.In(tx, operation.Scope(ctx)) {
			if err != nil {
				return nil, err
			}
			l := it.Value
			for i := len(l.Versions) - 1; i >= 0; i-- {
				v := &l.Versions[i]
				if fits(v.Runtimes, opt.Text(in.CompatibleRuntime)) && fits(v.Architectures, opt.Text(in.CompatibleArchitecture)) {
					newest := layerItem(ctx, l.Name, v)
					list = append(list, lambda.LayersListItem{LayerName: opt.Of(l.Name), LayerArn: opt.Of(layerARN(ctx, l.Name)), LatestMatchingVersion: &newest})
					break
				}
			}
		}
		name := func(it lambda.LayersListItem) string { return *it.LayerName }
		slices.SortFunc(list, func(a, b lambda.LayersListItem) int { return cmpText(name(a), name(b)) })
		out := new(lambda.ListLayersOutput)
		out.Layers, out.NextMarker = page(list, in.Marker, in.MaxItems, 50, name)
		return out, nil
	})
}

// DeleteLayerVersion removes a version of a layer from lists; functions that use it go on
// doing so: its package stays.
func (f *Functions) DeleteLayerVersion(ctx context.Context, in *lambda.DeleteLayerVersionInput) (*lambda.DeleteLayerVersionOutput, error) {
	name := layerName(ctx, *in.LayerName)
	_, err := f.Store.Update(ctx, func(tx *store.Tx) error {
		l, err := layers.Get(tx, operation.Scope(ctx), name)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		l.Versions = slices.DeleteFunc(l.Versions, func(v model.LayerVersion) bool { return v.Version == *in.VersionNumber })
		return layers.Put(tx, operation.Scope(ctx), name, l)
	})
	return new(lambda.DeleteLayerVersionOutput), err
}
