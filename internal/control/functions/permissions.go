package functions

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// maxPolicy is the largest resource policy of a function, in bytes (Lambda quotas).
const maxPolicy = 20 << 10

// statement is one statement of a policy, its members in the order in which Lambda
// writes them.
type statement struct {
	Sid       string
	Effect    string
	Principal any
	Action    string
	Resource  string
	Condition map[string]map[string]any `json:",omitempty"`
}

// AddPermission adds a statement to the policy of a function, version or alias.
func (f *Functions) AddPermission(ctx context.Context, in *lambda.AddPermissionInput) (*lambda.AddPermissionOutput, error) {
	name, qualifier, err := named(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return change(ctx, f, name, func(_ *store.Tx, fn *model.Function) (*lambda.AddPermissionOutput, error) {
		if qualifier == latest {
			return nil, invalid("We currently do not support adding policies for $LATEST.")
		}
		if _, _, err := qualified(ctx, fn, qualifier); err != nil {
			return nil, err
		}
		p := fn.Policies[qualifier]
		if err := revised(in.RevisionId, p.RevisionID); err != nil && p.RevisionID != "" {
			return nil, err
		}
		if slices.ContainsFunc(p.Statements, func(s model.PermissionStatement) bool { return s.ID == *in.StatementId }) {
			return nil, lambda.ResourceConflictException(fmt.Sprintf("The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", *in.StatementId))
		}
		st := model.PermissionStatement{ID: *in.StatementId, JSON: permission(functionARN(ctx, name, qualifier), in)}
		p.Statements, p.RevisionID = append(slices.Clone(p.Statements), st), revision()
		text := policyText(p)
		if len(text) > maxPolicy {
			return nil, lambda.PolicyLengthExceededException(fmt.Sprintf("The final policy size (%d) is bigger than the limit (%d).", len(text), maxPolicy))
		}
		if _, err := iampolicy.Parse(text, iampolicy.Resource); err != nil {
			return nil, invalid("The provided principal was invalid. Please check the principal and try again.")
		}
		if fn.Policies == nil {
			fn.Policies = make(map[string]model.FunctionPolicy)
		}
		fn.Policies[qualifier] = p
		return &lambda.AddPermissionOutput{Statement: &st.JSON}, nil
	})
}

// permission writes the statement that a call asks for.
func permission(resource string, in *lambda.AddPermissionInput) string {
	st := statement{Sid: *in.StatementId, Effect: "Allow", Action: *in.Action, Resource: resource, Principal: principal(*in.Principal)}
	condition := func(operator, key string, value *string) {
		if value == nil {
			return
		}
		if st.Condition == nil {
			st.Condition = make(map[string]map[string]any)
		}
		if st.Condition[operator] == nil {
			st.Condition[operator] = make(map[string]any)
		}
		st.Condition[operator][key] = *value
	}
	condition("StringEquals", "AWS:SourceAccount", in.SourceAccount)
	condition("StringEquals", "lambda:EventSourceToken", in.EventSourceToken)
	condition("StringEquals", "aws:PrincipalOrgID", in.PrincipalOrgID)
	if in.FunctionUrlAuthType != nil {
		condition("StringEquals", "lambda:FunctionUrlAuthType", opt.Of(string(*in.FunctionUrlAuthType)))
	}
	if in.InvokedViaFunctionUrl != nil {
		condition("Bool", "lambda:InvokedViaFunctionUrl", opt.Of(fmt.Sprint(*in.InvokedViaFunctionUrl)))
	}
	condition("ArnLike", "AWS:SourceArn", in.SourceArn)
	return plainJSON(st)
}

// principal writes who is allowed: a service, an account, an ARN or everybody.
func principal(text string) any {
	switch {
	case text == "*":
		return "*"
	case strings.HasSuffix(text, ".amazonaws.com") || strings.HasSuffix(text, ".amazonaws.com.cn"):
		return map[string]string{"Service": text}
	case len(text) == 12 && strings.Trim(text, "0123456789") == "":
		return map[string]string{"AWS": "arn:aws:iam::" + text + ":root"}
	}
	return map[string]string{"AWS": text}
}

// plainJSON encodes without escaping "<", ">" and "&", as Lambda does.
func plainJSON(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("functions: " + err.Error()) // our own types
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// policyText puts a policy together.
func policyText(p model.FunctionPolicy) string {
	list := make([]string, len(p.Statements))
	for i, s := range p.Statements {
		list[i] = s.JSON
	}
	return `{"Version":"2012-10-17","Id":"default","Statement":[` + strings.Join(list, ",") + `]}`
}

// RemovePermission removes a statement.
func (f *Functions) RemovePermission(ctx context.Context, in *lambda.RemovePermissionInput) (*lambda.RemovePermissionOutput, error) {
	name, qualifier, err := named(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return change(ctx, f, name, func(_ *store.Tx, fn *model.Function) (*lambda.RemovePermissionOutput, error) {
		p, ok := fn.Policies[qualifier]
		if !ok {
			return nil, noPolicy()
		}
		if err := revised(in.RevisionId, p.RevisionID); err != nil {
			return nil, err
		}
		kept := slices.DeleteFunc(slices.Clone(p.Statements), func(s model.PermissionStatement) bool { return s.ID == *in.StatementId })
		if len(kept) == len(p.Statements) {
			return nil, lambda.ResourceNotFoundException("Statement " + *in.StatementId + " is not found in resource policy.")
		}
		if len(kept) == 0 {
			delete(fn.Policies, qualifier)
			return new(lambda.RemovePermissionOutput), nil
		}
		fn.Policies[qualifier] = model.FunctionPolicy{RevisionID: revision(), Statements: kept}
		return new(lambda.RemovePermissionOutput), nil
	})
}

func noPolicy() error {
	return lambda.ResourceNotFoundException("The resource you requested does not exist.")
}

// GetPolicy returns the policy of a function, version or alias.
func (f *Functions) GetPolicy(ctx context.Context, in *lambda.GetPolicyInput) (*lambda.GetPolicyOutput, error) {
	name, qualifier, err := named(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return operation.View(ctx, f.Store, func(tx *store.Tx) (*lambda.GetPolicyOutput, error) {
		it, err := f.item(ctx, tx, name)
		if err != nil {
			return nil, err
		}
		p, ok := it.Value.Policies[qualifier]
		if !ok {
			return nil, noPolicy()
		}
		return &lambda.GetPolicyOutput{Policy: opt.Of(policyText(p)), RevisionId: &p.RevisionID}, nil
	})
}
