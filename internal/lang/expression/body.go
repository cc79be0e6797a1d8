package expression

import "strings"

// bodyPath turns the path behind "body." into a JSONPath.
func bodyPath(name string) (string, error) {
	return "$." + strings.TrimPrefix(name, "$."), nil
}
