// Package opt converts between the optional members of wire types, which are pointers,
// and the plain values of the model, whose zero value means absence. All control
// packages use it; it has no state.
package opt

// Of returns a pointer to v.
func Of[T any](v T) *T { return &v }

// NonZero returns a pointer to v, nil when v is its type's zero value: members that are
// left out of answers when unset.
func NonZero[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// Value returns what p points to, the zero value for nil.
func Value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// Or returns what p points to, def for nil.
func Or[T any](p *T, def T) T {
	if p == nil {
		return def
	}
	return *p
}

// Convert returns a pointer to v as another string type, nil when v is "": modelled
// enumerations have types of their own.
func Convert[To, From ~string](v From) *To {
	if v == "" {
		return nil
	}
	to := To(v)
	return &to
}

// Text returns what p points to as a plain string, "" for nil.
func Text[T ~string](p *T) string {
	if p == nil {
		return ""
	}
	return string(*p)
}

// List returns l, nil when it is empty: lists that answers leave out.
func List[T any](l []T) []T {
	if len(l) == 0 {
		return nil
	}
	return l
}

// Map returns m, nil when it is empty: maps that answers leave out.
func Map[K comparable, V any](m map[K]V) map[K]V {
	if len(m) == 0 {
		return nil
	}
	return m
}
