package restapis

import (
	"context"
	"maps"
	"strings"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// callerCredentials, as credentials, are those of a request's caller: nothing is passed.
const callerCredentials = "arn:aws:iam::*:user/*"

// mayPass refuses callers who may not hand a role to API Gateway (iam:PassRole): whoever says
// what a role is used for has its power. A role that stage variables name could be any.
func (s *RestAPIs) mayPass(ctx context.Context, role string) error {
	if s.MayPass == nil || role == "" || role == callerCredentials {
		return nil
	}
	if strings.Contains(role, "${stageVariables.") {
		role = "arn:aws:iam::" + awsapi.CallFrom(ctx).Account + ":role/*"
	}
	return s.MayPass(ctx, role)
}

// mayPassAll is mayPass for what resources of an API hold.
func (s *RestAPIs) mayPassAll(ctx context.Context, rs []model.Resource) error {
	if s.MayPass == nil {
		return nil
	}
	judged := map[string]bool{}
	for _, r := range rs {
		for _, m := range r.Methods {
			if m.Integration == nil || judged[m.Integration.Credentials] {
				continue
			}
			judged[m.Integration.Credentials] = true
			if err := s.mayPass(ctx, m.Integration.Credentials); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayPassDraft is mayPass for what a draft holds.
func (s *RestAPIs) mayPassDraft(ctx context.Context, tx *store.Tx, owner store.Scope) error {
	var all []model.Resource
	for r, err := range resources.In(tx, owner) {
		if err != nil {
			return err
		}
		all = append(all, r.Value)
	}
	for a, err := range authorizers.In(tx, owner) {
		if err != nil {
			return err
		}
		if err := s.mayPass(ctx, a.Value.AuthorizerCredentials); err != nil {
			return err
		}
	}
	return s.mayPassAll(ctx, all)
}

// mayPassVariables refuses a stage whose variables, or its canary's, name a role that the
// caller may not pass.
func (s *RestAPIs) mayPassVariables(ctx context.Context, tx *store.Tx, owner store.Scope, st model.Stage) error {
	if s.MayPass == nil {
		return nil
	}
	sets := []map[string]string{st.Variables}
	ids := []string{st.DeploymentID}
	if c := st.CanarySettings; c != nil {
		overlaid := maps.Clone(st.Variables)
		if overlaid == nil {
			overlaid = map[string]string{}
		}
		maps.Copy(overlaid, c.StageVariableOverrides)
		sets, ids = append(sets, overlaid), append(ids, c.DeploymentID)
	}
	for n, id := range ids {
		snapshot, err := snapshots.Get(tx, owner, id)
		if err != nil {
			if isNotFound(err) {
				continue
			}
			return err
		}
		if err := s.mayPassNamed(ctx, snapshot, sets[n]); err != nil {
			return err
		}
	}
	return nil
}

// mayPassNamed is mayPass for the roles of a deployment or draft that variables name.
func (s *RestAPIs) mayPassNamed(ctx context.Context, snapshot model.Snapshot, variables map[string]string) error {
	judged := map[string]bool{}
	for _, text := range variableRoles(snapshot) {
		role := expression.ResolveStageVariables(text, func(name string) (string, bool) { v, ok := variables[name]; return v, ok })
		if judged[role] || role == "" {
			continue
		}
		judged[role] = true
		if err := s.mayPass(ctx, role); err != nil {
			return err
		}
	}
	return nil
}

// choosesRoles reports whether a change of a stage may put another role to use.
func choosesRoles(ops []apigateway.PatchOperation) bool {
	for _, o := range patch.Operations(ops) {
		if o.Path == "/deploymentId" || strings.HasPrefix(o.Path, "/variables") || strings.HasPrefix(o.Path, "/canarySettings") {
			return true
		}
	}
	return false
}

// variableRoles lists the credentials of a deployment that stage variables name.
func variableRoles(snapshot model.Snapshot) (out []string) {
	add := func(text string) {
		if strings.Contains(text, "${stageVariables.") {
			out = append(out, text)
		}
	}
	for _, r := range snapshot.Resources {
		for _, m := range r.Methods {
			if m.Integration != nil {
				add(m.Integration.Credentials)
			}
		}
	}
	for _, a := range snapshot.Authorizers {
		add(a.AuthorizerCredentials)
	}
	return out
}
