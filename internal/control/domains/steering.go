package domains

import (
	"strings"

	"gatehouse/internal/control/tags"
	"gatehouse/internal/trust"
	"gatehouse/internal/trust/forward"
)

// The tags on domain names that switch revocation and forwarding on.
func init() {
	tags.Define(strings.TrimPrefix(forward.Tag, tags.Prefix), tags.Rule{
		Resource: tags.DomainName, Check: func(value string) string {
			if _, err := forward.ParseFormat(value); err != nil {
				return "xfcc, rfc9440, alb or alb-passthrough"
			}
			return ""
		},
	})
	for _, tag := range []string{trust.TagRevocation, trust.TagCRL, trust.TagDeny, trust.TagAllow, trust.TagSettings} {
		tags.Define(strings.TrimPrefix(tag, tags.Prefix), tags.Rule{
			Resource: tags.DomainName, Check: func(value string) string { return trust.CheckTag(tag, value) },
		})
	}
}
