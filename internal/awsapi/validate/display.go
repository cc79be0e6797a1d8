package validate

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/scalar"
	"gatehouse/internal/awsapi/schema"
)

// display writes a value as the services print it in a violation: lists as [a, b],
// maps as {k=v}, structures as Name(member=value).
func display(sh *schema.Shape, v reflect.Value) string {
	switch sh.Kind {
	case schema.List:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = display(sh.Elem.Shape, v.Index(i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case schema.Map:
		var parts []string
		for _, k := range sortedKeys(v) {
			parts = append(parts, k.String()+"="+display(sh.Elem.Shape, v.MapIndex(k)))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case schema.Structure:
		var parts []string
		for i := range sh.Members {
			if value, ok := scalar.Present(v.Field(i)); ok && !sh.Members[i].IsStreaming() {
				parts = append(parts, schema.LowerFirst(sh.Members[i].Name)+"="+display(sh.Members[i].Shape, value))
			}
		}
		return sh.Name + "(" + strings.Join(parts, ", ") + ")"
	case schema.Blob:
		return fmt.Sprintf("java.nio.HeapByteBuffer[pos=0 lim=%d cap=%d]", v.Len(), v.Len())
	}
	if sh.Sensitive {
		return "***"
	}
	return scalar.Text(v, sh, schema.DefaultTime)
}

func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}
