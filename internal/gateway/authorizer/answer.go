package authorizer

// A Pair is a value of an authorizer's context, or a claim of a token. Values are text
// wherever they are used: numbers as they were written, booleans "true" and "false"
// (authorizers, section 1.7).
type Pair struct{ Name, Value string }

// Find returns the value called name.
func Find(pairs []Pair, name string) (string, bool) {
	for i := range pairs {
		if pairs[i].Name == name {
			return pairs[i].Value, true
		}
	}
	return "", false
}
