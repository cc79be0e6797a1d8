package usageplans

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/control/tags"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// CreateUsagePlan makes a usage plan.
func (s *UsagePlans) CreateUsagePlan(ctx context.Context, in *apigateway.CreateUsagePlanInput) (*apigateway.UsagePlan, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.UsagePlan, error) {
		p := model.UsagePlan{ID: model.NewID(6), Name: opt.Value(in.Name), Description: opt.Value(in.Description), Tags: opt.Map(in.Tags)}
		for _, a := range in.ApiStages {
			stage := model.APIStage{APIID: opt.Value(a.ApiId), Stage: opt.Value(a.Stage)}
			for key, t := range a.Throttle {
				if stage.Throttle == nil {
					stage.Throttle = map[string]model.ThrottleSettings{}
				}
				stage.Throttle[key] = model.ThrottleSettings{BurstLimit: int(opt.Value(t.BurstLimit)), RateLimit: opt.Value(t.RateLimit)}
			}
			p.APIStages = append(p.APIStages, stage)
		}
		if t := in.Throttle; t != nil && (t.BurstLimit != nil || t.RateLimit != nil) {
			p.Throttle = &model.ThrottleSettings{BurstLimit: int(opt.Value(t.BurstLimit)), RateLimit: opt.Value(t.RateLimit)}
		}
		if q := in.Quota; q != nil && *q != (apigateway.QuotaSettings{}) {
			p.Quota = &model.QuotaSettings{Limit: int(opt.Value(q.Limit)), Offset: int(opt.Value(q.Offset)), Period: opt.Text(q.Period)}
		}
		if err := tags.Check(p.Tags, tags.UsagePlan); err != nil {
			return nil, err
		}
		if err := checkPlan(tx, operation.Scope(ctx), p); err != nil {
			return nil, err
		}
		return wirePlan(p), plans.Create(tx, operation.Scope(ctx), p.ID, p)
	})
}

// checkPlan judges a plan as a whole.
func checkPlan(tx *store.Tx, in store.Scope, p model.UsagePlan) error {
	if p.Name == "" {
		return badRequest("Usage Plan name cannot be blank")
	}
	if err := checkThrottle(p.Throttle); err != nil {
		return err
	}
	if err := checkQuota(p.Quota); err != nil {
		return err
	}
	for i, a := range p.APIStages {
		if slices.ContainsFunc(p.APIStages[:i], func(b model.APIStage) bool { return b.APIID == a.APIID && b.Stage == a.Stage }) {
			return apigateway.ConflictException("The API Stage {api: " + a.APIID + ", stage: " + a.Stage + "} is already in usageplan " + p.ID)
		}
		if _, err := stages.Get(tx, in.Of(a.APIID), a.Stage); err != nil {
			return operation.OrElse(err, apigateway.NotFoundException(fmt.Sprintf("Invalid API Stage {api: %s, stage: %s} specified for usageplan %s", a.APIID, a.Stage, p.ID)))
		}
		if len(a.Throttle) > 0 && p.Throttle == nil {
			return badRequest("Usage plan throttle settings are required for method throttles")
		}
		for key, t := range a.Throttle {
			if err := checkThrottle(&t); err != nil {
				return badRequest(key + ": " + err.Error())
			}
		}
	}
	return checkOnePlanPerStage(tx, in, p)
}

func checkThrottle(t *model.ThrottleSettings) error {
	if t != nil && (t.RateLimit < 0 || t.BurstLimit < 0 || t.RateLimit != t.RateLimit) {
		return badRequest("Usage Plan throttle rateLimit and burstLimit must be 0 or more")
	}
	return nil
}

func checkQuota(q *model.QuotaSettings) error {
	switch {
	case q == nil:
		return nil
	case q.Limit < 0:
		return badRequest("Usage Plan quota limit must be 0 or more")
	case q.Period == "DAY" && q.Offset != 0:
		return badRequest("Usage Plan quota offset must be zero in the DAY period")
	case q.Period == "WEEK" && (q.Offset < 0 || q.Offset > 6):
		return badRequest("Usage Plan quota offset must be between 0 and 6 inclusive in the WEEK period")
	case q.Period == "MONTH" && (q.Offset < 0 || q.Offset > 27):
		return badRequest("Usage Plan quota offset must be between 0 and 27 inclusive in the MONTH period")
	case q.Period != "DAY" && q.Period != "WEEK" && q.Period != "MONTH":
		return badRequest("Invalid Usage Plan quota period specified. Must be one of [DAY, WEEK, MONTH]")
	}
	return nil
}

// checkOnePlanPerStage holds that a key is in at most one plan for an API stage.
func checkOnePlanPerStage(tx *store.Tx, in store.Scope, p model.UsagePlan) error {
	for k, err := range planKeys.In(tx, in.Of(p.ID)) {
		if err != nil {
			return err
		}
		if err := checkKeyInPlan(tx, in, p, k.Key.ID); err != nil {
			return err
		}
	}
	return nil
}

// checkKeyInPlan refuses a key for plan p that another plan already admits to one of p's
// stages.
func checkKeyInPlan(tx *store.Tx, in store.Scope, p model.UsagePlan, key string) error {
	held, err := planKeys.Parents(tx, in, key)
	if err != nil {
		return err
	}
	for _, id := range held {
		if id == p.ID {
			continue
		}
		other, err := plans.Get(tx, in, id)
		if err != nil {
			return err
		}
		if sharesStage(other, p) {
			return apigateway.ConflictException("Usage Plan " + p.ID + " cannot be added because API Key cannot reference multiple Usage Plans with the same ApiStage: " + key)
		}
	}
	return nil
}

func sharesStage(a, b model.UsagePlan) bool {
	return slices.ContainsFunc(a.APIStages, func(x model.APIStage) bool {
		return slices.ContainsFunc(b.APIStages, func(y model.APIStage) bool { return x.APIID == y.APIID && x.Stage == y.Stage })
	})
}

// GetUsagePlan returns a plan.
func (s *UsagePlans) GetUsagePlan(ctx context.Context, in *apigateway.GetUsagePlanInput) (*apigateway.UsagePlan, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.UsagePlan, error) {
		p, err := plans.Get(tx, operation.Scope(ctx), *in.UsagePlanId)
		if err != nil {
			return nil, operation.OrElse(err, noPlan())
		}
		return withTags(wirePlan(p)), nil
	})
}

// withTags shows an empty map where the plan has no tags.
func withTags(p *apigateway.UsagePlan) *apigateway.UsagePlan {
	if p.Tags == nil {
		p.Tags = map[string]string{}
	}
	return p
}

// GetUsagePlans lists plans, all or those that a key is in.
func (s *UsagePlans) GetUsagePlans(ctx context.Context, in *apigateway.GetUsagePlansInput) (*apigateway.GetUsagePlansOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetUsagePlansOutput, error) {
		if key := opt.Value(in.KeyId); key != "" {
			return plansOfKey(tx, operation.Scope(ctx), key)
		}
		items, next, err := plans.List(tx, operation.Scope(ctx), operation.Page(in.Limit, in.Position))
		if err != nil {
			return nil, operation.ListError(err)
		}
		out := &apigateway.GetUsagePlansOutput{Position: opt.NonZero(next)}
		for _, it := range items {
			out.Items = append(out.Items, *wirePlan(it.Value))
		}
		return out, nil
	})
}

// plansOfKey lists the plans that a key is in, on one page: they are few.
func plansOfKey(tx *store.Tx, in store.Scope, key string) (*apigateway.GetUsagePlansOutput, error) {
	held, err := planKeys.Parents(tx, in, key)
	if err != nil {
		return nil, err
	}
	out := new(apigateway.GetUsagePlansOutput)
	for _, id := range held {
		p, err := plans.Get(tx, in, id)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, *wirePlan(p))
	}
	return out, nil
}

// DeleteUsagePlan deletes a plan that covers no stage any more.
func (s *UsagePlans) DeleteUsagePlan(ctx context.Context, in *apigateway.DeleteUsagePlanInput) (*apigateway.DeleteUsagePlanOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DeleteUsagePlanOutput, error) {
		p, err := plans.Get(tx, operation.Scope(ctx), *in.UsagePlanId)
		if err != nil {
			return nil, operation.OrElse(err, noPlan())
		}
		if len(p.APIStages) > 0 {
			return nil, badRequest("Cannot delete Usage Plan " + p.ID + " because there are API Stages associated with it: remove them first")
		}
		if _, err := planKeys.DeleteAll(tx, operation.Scope(ctx).Of(p.ID)); err != nil {
			return nil, err
		}
		return nil, plans.Delete(tx, operation.Scope(ctx), p.ID)
	})
}

// UpdateUsagePlan patches a plan; all operations are judged together.
func (s *UsagePlans) UpdateUsagePlan(ctx context.Context, in *apigateway.UpdateUsagePlanInput) (*apigateway.UsagePlan, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.UsagePlan, error) {
		it, err := plans.Item(tx, operation.Scope(ctx), *in.UsagePlanId)
		if err != nil {
			return nil, operation.OrElse(err, noPlan())
		}
		for _, o := range patch.Operations(in.PatchOperations) {
			if err := patchPlan(&it.Value, o); err != nil {
				return nil, err
			}
		}
		if err := checkPlan(tx, operation.Scope(ctx), it.Value); err != nil {
			return nil, err
		}
		return withTags(wirePlan(it.Value)), plans.Replace(tx, it)
	})
}

func patchPlan(p *model.UsagePlan, o patch.Operation) error {
	switch {
	case o.Path == "/apiStages":
		return patchStages(p, o)
	case strings.HasPrefix(o.Path, "/apiStages/"):
		return patchMethodThrottle(p, o)
	case o.Path == "/throttle" || strings.HasPrefix(o.Path, "/throttle/"):
		return patchThrottle(&p.Throttle, o, "/throttle")
	case o.Path == "/quota" || strings.HasPrefix(o.Path, "/quota/"):
		return patchQuota(p, o)
	}
	fields := map[string]*string{"/name": &p.Name, "/description": &p.Description, "/productCode": &p.ProductCode}
	field, ok := fields[o.Path]
	if !ok {
		return patch.InvalidPath(o.Path)
	}
	*field = o.Value
	if o.Op == "remove" {
		*field = ""
	}
	return o.Only("add", "replace", "remove")
}

// patchStages takes stages in and out by "API:stage".
func patchStages(p *model.UsagePlan, o patch.Operation) error {
	api, stage, ok := strings.Cut(o.Value, ":")
	if !ok || api == "" || stage == "" {
		return badRequest("Invalid API Stage specified")
	}
	i := slices.IndexFunc(p.APIStages, func(a model.APIStage) bool { return a.APIID == api && a.Stage == stage })
	switch o.Op {
	case "add":
		if i < 0 {
			p.APIStages = append(p.APIStages, model.APIStage{APIID: api, Stage: stage})
		}
	case "remove":
		if i < 0 {
			return apigateway.NotFoundException(fmt.Sprintf("Invalid API Stage {api: %s, stage: %s} specified for usageplan %s", api, stage, p.ID))
		}
		p.APIStages = slices.Delete(p.APIStages, i, i+1)
	default:
		return patch.InvalidOp("add", "remove")
	}
	return nil
}

// patchMethodThrottle changes "/apiStages/{api}:{stage}/throttle/{path}/{METHOD}/rateLimit".
func patchMethodThrottle(p *model.UsagePlan, o patch.Operation) error {
	tokens := strings.Split(strings.TrimPrefix(o.Path, "/apiStages/"), "/")
	api, stage, ok := strings.Cut(patch.Unescape(tokens[0]), ":")
	i := slices.IndexFunc(p.APIStages, func(a model.APIStage) bool { return a.APIID == api && a.Stage == stage })
	if !ok || i < 0 {
		return badRequest("Invalid API Stage specified")
	}
	a := &p.APIStages[i]
	if len(tokens) == 2 && tokens[1] == "throttle" && o.Op == "remove" {
		a.Throttle = nil
		return nil
	}
	if len(tokens) < 4 || tokens[1] != "throttle" {
		return patch.InvalidPath(o.Path)
	}
	rest := tokens[2:]
	member := rest[len(rest)-1]
	if member == "rateLimit" || member == "burstLimit" {
		rest = rest[:len(rest)-1]
	} else {
		member = ""
	}
	for n := range rest {
		rest[n] = patch.Unescape(rest[n])
	}
	key := "/" + strings.TrimPrefix(strings.Join(rest, "/"), "/")
	if o.Op == "remove" && member == "" {
		delete(a.Throttle, key)
		return nil
	}
	t := a.Throttle[key]
	next := &t
	if err := patchThrottle(&next, patch.Operation{Op: o.Op, Path: "/throttle/" + member, Value: o.Value, Sent: o.Sent}, "/throttle"); err != nil {
		return err
	}
	if a.Throttle == nil {
		a.Throttle = map[string]model.ThrottleSettings{}
	}
	a.Throttle[key] = *next
	return nil
}

func patchThrottle(t **model.ThrottleSettings, o patch.Operation, prefix string) error {
	if o.Path == prefix {
		if err := o.Only("remove"); err != nil {
			return err
		}
		*t = nil
		return nil
	}
	if err := o.Only("add", "replace", "remove"); err != nil {
		return err
	}
	if *t == nil {
		*t = &model.ThrottleSettings{}
	}
	switch o.Path {
	case prefix + "/rateLimit":
		f, ok := o.Float()
		if !ok {
			return badRequest("Invalid rateLimit: found '" + o.Value + "', want a number")
		}
		(*t).RateLimit = f
	case prefix + "/burstLimit":
		n, ok := o.Int()
		if !ok {
			return badRequest("Invalid burstLimit: found '" + o.Value + "', want a whole number")
		}
		(*t).BurstLimit = n
	default:
		return patch.InvalidPath(o.Path)
	}
	return nil
}

func patchQuota(p *model.UsagePlan, o patch.Operation) error {
	if o.Path == "/quota" {
		p.Quota = nil
		return o.Only("remove")
	}
	if p.Quota == nil {
		p.Quota = &model.QuotaSettings{Period: "DAY"}
	}
	number := func(to *int) error {
		n, ok := o.Int()
		if !ok {
			return badRequest("Invalid quota value: found " + strconv.Quote(o.Value) + ", want a whole number")
		}
		*to = n
		return o.Only("add", "replace")
	}
	switch o.Path {
	case "/quota/limit":
		return number(&p.Quota.Limit)
	case "/quota/offset":
		return number(&p.Quota.Offset)
	case "/quota/period":
		p.Quota.Period = o.Value
		return o.Only("add", "replace")
	}
	return patch.InvalidPath(o.Path)
}

func wirePlan(p model.UsagePlan) *apigateway.UsagePlan {
	out := &apigateway.UsagePlan{Id: &p.ID, Name: &p.Name, Description: opt.NonZero(p.Description), ProductCode: opt.NonZero(p.ProductCode), Tags: opt.Map(p.Tags), ApiStages: []apigateway.ApiStage{}}
	for _, a := range p.APIStages {
		w := apigateway.ApiStage{ApiId: &a.APIID, Stage: &a.Stage}
		for key, t := range a.Throttle {
			if w.Throttle == nil {
				w.Throttle = map[string]apigateway.ThrottleSettings{}
			}
			w.Throttle[key] = *wireThrottle(&t)
		}
		out.ApiStages = append(out.ApiStages, w)
	}
	out.Throttle = wireThrottle(p.Throttle)
	if q := p.Quota; q != nil {
		out.Quota = &apigateway.QuotaSettings{Limit: opt.Of(int32(q.Limit)), Offset: opt.Of(int32(q.Offset)), Period: opt.Convert[apigateway.QuotaPeriodType](q.Period)}
	}
	return out
}

func wireThrottle(t *model.ThrottleSettings) *apigateway.ThrottleSettings {
	if t == nil {
		return nil
	}
	return &apigateway.ThrottleSettings{BurstLimit: opt.Of(int32(t.BurstLimit)), RateLimit: &t.RateLimit}
}
