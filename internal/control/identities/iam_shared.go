package identities

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/awsapi/gen/iam"
	"gatehouse/internal/lang/iampolicy"
)

// What users, groups and roles have alike: attached and inline policies, boundaries,
// tags.

func (b *IAM) attach(ctx context.Context, of *sort, name, arn string) error {
	return b.change(ctx, func(tx *txn) error {
		if _, err := mustManaged(tx, arn, notAttachable); err != nil {
			return err
		}
		return of.edit(tx, name, func(e *entity) error {
			if !slices.Contains(e.Attached, arn) {
				e.Attached = append(e.Attached, arn)
			}
			return nil
		})
	})
}

func (b *IAM) detach(ctx context.Context, of *sort, name, arn string) error {
	return b.change(ctx, func(tx *txn) error {
		return of.edit(tx, name, func(e *entity) error {
			if !slices.Contains(e.Attached, arn) {
				return iam.NoSuchEntityException("Policy " + arn + " " + notFound)
			}
			e.Attached = slices.DeleteFunc(e.Attached, func(a string) bool { return a == arn })
			return nil
		})
	})
}

func (b *IAM) listAttached(ctx context.Context, of *sort, name string, prefix, marker *string, limit *int32) (list []iam.AttachedPolicy, truncated *bool, next *string, _ error) {
	err := b.view(ctx, func(tx *txn) error {
		e, err := of.get(tx, name)
		if err != nil {
			return err
		}
		var all []managedPolicy
		for _, arn := range e.Attached {
			p, err := mustManaged(tx, arn, notFound)
			if err != nil {
				return err
			}
			all = append(all, p)
		}
		all = under(all, func(p *managedPolicy) string { return p.Path }, prefix)
		all, truncated, next, err = page(all, func(p *managedPolicy) string { return p.Name }, marker, limit)
		list = []iam.AttachedPolicy{}
		for i := range all {
			list = append(list, iam.AttachedPolicy{PolicyName: &all[i].Name, PolicyArn: &all[i].ARN})
		}
		return err
	})
	return list, truncated, next, err
}

func (b *IAM) putInline(ctx context.Context, of *sort, name, policy, document string) error {
	if err := checkDocument(document, iampolicy.Identity); err != nil {
		return err
	}
	return b.change(ctx, func(tx *txn) error {
		return of.edit(tx, name, func(e *entity) error {
			e.Inline = append(slices.DeleteFunc(e.Inline, func(p inlinePolicy) bool { return p.Name == policy }), inlinePolicy{policy, document})
			slices.SortFunc(e.Inline, func(a, b inlinePolicy) int { return strings.Compare(a.Name, b.Name) })
			total := 0
			for _, p := range e.Inline {
				total += size(p.Document)
			}
			if total > of.maxInline {
				return iam.LimitExceededException("Maximum policy size of " + strconv.Itoa(of.maxInline) + " bytes exceeded for " + of.noun + " " + e.Name)
			}
			return nil
		})
	})
}

func noInline(of *sort, policy string) error {
	return iam.NoSuchEntityException("The " + of.noun + " policy with name " + policy + " cannot be found.")
}

// getInline returns the names and the document, encoded as IAM does.
func (b *IAM) getInline(ctx context.Context, of *sort, name, policy string) (owner, document *string, _ error) {
	err := b.view(ctx, func(tx *txn) error {
		e, err := of.get(tx, name)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(e.Inline, func(p inlinePolicy) bool { return p.Name == policy })
		if i < 0 {
			return noInline(of, policy)
		}
		owner, document = &e.Name, encode(e.Inline[i].Document)
		return nil
	})
	return owner, document, err
}

func (b *IAM) deleteInline(ctx context.Context, of *sort, name, policy string) error {
	return b.change(ctx, func(tx *txn) error {
		return of.edit(tx, name, func(e *entity) error {
			i := slices.IndexFunc(e.Inline, func(p inlinePolicy) bool { return p.Name == policy })
			if i < 0 {
				return noInline(of, policy)
			}
			e.Inline = slices.Delete(e.Inline, i, i+1)
			return nil
		})
	})
}

func (b *IAM) listInline(ctx context.Context, of *sort, name string, marker *string, limit *int32) (names []string, truncated *bool, next *string, _ error) {
	err := b.view(ctx, func(tx *txn) error {
		e, err := of.get(tx, name)
		if err != nil {
			return err
		}
		names = []string{}
		for _, p := range e.Inline {
			names = append(names, p.Name)
		}
		names, truncated, next, err = page(names, func(n *string) string { return *n }, marker, limit)
		return err
	})
	return names, truncated, next, err
}

func (b *IAM) setBoundary(ctx context.Context, of *sort, name, arn string) error {
	return b.change(ctx, func(tx *txn) error {
		if arn != "" {
			if _, err := mustManaged(tx, arn, notAttachable); err != nil {
				return err
			}
		}
		return of.edit(tx, name, func(e *entity) error {
			e.Boundary = arn
			return nil
		})
	})
}

func (b *IAM) editTags(ctx context.Context, of *sort, name string, add []iam.Tag, remove []string) error {
	return b.change(ctx, func(tx *txn) error {
		return of.edit(tx, name, func(e *entity) (err error) {
			e.Tags, err = mergeTags(removeTags(e.Tags, remove), add)
			return err
		})
	})
}

func (b *IAM) tagsOf(ctx context.Context, of *sort, name string, marker *string, limit *int32) (tags []iam.Tag, truncated *bool, next *string, _ error) {
	err := b.view(ctx, func(tx *txn) error {
		e, err := of.get(tx, name)
		if err == nil {
			tags, truncated, next, err = listTags(e.Tags, marker, limit)
		}
		return err
	})
	return tags, truncated, next, err
}
