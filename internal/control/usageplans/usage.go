package usageplans

import (
	"context"
	"slices"
	"time"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/counter"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// maxDays is how far one report of usage may reach.
const maxDays = 90

// dateForm is how days are written.
const dateForm = "2006-01-02"

// GetUsage reports the requests of each key of a plan, day by day, as they stand now.
func (s *UsagePlans) GetUsage(ctx context.Context, in *apigateway.GetUsageInput) (*apigateway.Usage, error) {
	from, to, err := days(*in.StartDate, *in.EndDate)
	if err != nil {
		return nil, err
	}
	var p model.UsagePlan
	var ids []string
	var next string
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		if p, err = plans.Get(tx, operation.Scope(ctx), *in.UsagePlanId); err != nil {
			return operation.OrElse(err, noPlan())
		}
		if key := opt.Value(in.KeyId); key != "" {
			_, err := getPlanKey(ctx, tx, p.ID, key)
			ids = []string{key}
			return err
		}
		items, cursor, err := planKeys.List(tx, operation.Scope(ctx).Of(p.ID), operation.Page(in.Limit, in.Position))
		for _, it := range items {
			ids = append(ids, it.Key.ID)
		}
		next = cursor
		return operation.ListError(err)
	})
	if err != nil {
		return nil, err
	}
	out := &apigateway.Usage{UsagePlanId: &p.ID, StartDate: in.StartDate, EndDate: in.EndDate, Position: opt.NonZero(next), Items: map[string][][]int64{}}
	for _, id := range ids {
		if out.Items[id], err = s.report(ctx, p, id, from, to); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func days(start, end string) (from, to time.Time, err error) {
	from, err1 := time.Parse(dateForm, start)
	to, err2 := time.Parse(dateForm, end)
	switch {
	case err1 != nil || err2 != nil:
		err = badRequest("Usage dates must have the form yyyy-MM-dd")
	case to.Before(from):
		err = badRequest("Usage end date must not be before the start date")
	case to.Sub(from) > maxDays*24*time.Hour:
		err = badRequest("Usage date range must be at most 90 days")
	}
	return from, to, err
}

// report is [used, remaining] for each day of one key.
func (s *UsagePlans) report(ctx context.Context, p model.UsagePlan, key string, from, to time.Time) ([][]int64, error) {
	list, err := s.Counters.Usage(ctx, counter.UsageKey(operation.Scope(ctx).Region, p.ID, key), Allowance(p.Quota), from, to)
	if err != nil {
		return nil, err
	}
	out := make([][]int64, 0, len(list))
	for _, d := range list {
		out = append(out, []int64{d.Used, d.Remaining})
	}
	return out, nil
}

// Allowance is a quota in the counters' terms; without one, requests are only counted.
func Allowance(q *model.QuotaSettings) counter.Allowance {
	if q == nil {
		return counter.Allowance{Limit: counter.CountOnly, Period: counter.Day}
	}
	period, err := counter.ParsePeriod(q.Period)
	if err != nil {
		period = counter.Day // the period was checked when it was stored
	}
	return counter.Allowance{Limit: int64(q.Limit), Period: period, Offset: q.Offset}
}

// UpdateUsage changes what remains of a key's quota in the current period, at once.
func (s *UsagePlans) UpdateUsage(ctx context.Context, in *apigateway.UpdateUsageInput) (*apigateway.Usage, error) {
	var p model.UsagePlan
	err := s.Store.View(ctx, func(tx *store.Tx) (err error) {
		if p, err = plans.Get(tx, operation.Scope(ctx), *in.UsagePlanId); err != nil {
			return operation.OrElse(err, noPlan())
		}
		_, err = getPlanKey(ctx, tx, p.ID, *in.KeyId)
		return err
	})
	if err != nil {
		return nil, err
	}
	if p.Quota == nil {
		return nil, badRequest("Usage Plan " + p.ID + " does not have a quota")
	}
	ops := patch.Operations(in.PatchOperations)
	remaining := slices.IndexFunc(ops, func(o patch.Operation) bool { return o.Path == "/remaining" })
	for _, o := range ops {
		if o.Path != "/remaining" {
			return nil, patch.InvalidPath(o.Path)
		}
		if err := o.Only("replace"); err != nil {
			return nil, err
		}
		if n, ok := o.Int(); !ok || n < 0 {
			return nil, badRequest("Invalid remaining: found '" + o.Value + "', want a number of requests")
		}
	}
	key := counter.UsageKey(operation.Scope(ctx).Region, p.ID, *in.KeyId)
	if remaining >= 0 {
		n, _ := ops[len(ops)-1].Int()
		if err := s.Counters.SetRemaining(ctx, key, Allowance(p.Quota), int64(n)); err != nil {
			return nil, apigateway.ServiceUnavailableException("The counters cannot be changed now. Please try again.").Because(err)
		}
	}
	today := s.Counters.Now().UTC().Truncate(24 * time.Hour)
	values, err := s.report(ctx, p, *in.KeyId, today, today)
	if err != nil {
		return nil, err
	}
	date := today.Format(dateForm)
	return &apigateway.Usage{UsagePlanId: &p.ID, StartDate: &date, EndDate: &date, Items: map[string][][]int64{*in.KeyId: values}}, nil
}
