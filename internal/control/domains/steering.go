package domains

import (
	"strings"

	"gatehouse/internal/control/tags"
	"gatehouse/internal/trust"
)

// The tags on domain names that switch revocation on.
func init() {
	for _, tag := range []string{trust.TagRevocation, trust.TagCRL, trust.TagDeny, trust.TagAllow, trust.TagSettings} {
		tags.Define(strings.TrimPrefix(tag, tags.Prefix), tags.Rule{
			Resource: tags.DomainName, Check: func(value string) string { return trust.CheckTag(tag, value) },
		})
	}
}
