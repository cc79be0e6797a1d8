package restapis

import (
	"net"
	"strconv"
	"strings"

	"gatehouse/internal/control/tags"
	"gatehouse/internal/model"
	"gatehouse/internal/ratelimit"
)

// The tags that steer VPC links and stages.
func init() {
	tags.Define(strings.TrimPrefix(model.LinkTargetTag, tags.Prefix), tags.Rule{Resource: tags.VPCLink, Check: func(v string) string {
		host, port, err := net.SplitHostPort(v)
		n, perr := strconv.ParseUint(port, 10, 16)
		if err != nil || host == "" || strings.ContainsAny(host, "/@?# ") || perr != nil || n == 0 {
			return "a host and a port, such as 10.0.0.7:8443"
		}
		return ""
	}})
	tags.Define(strings.TrimPrefix(ratelimit.Tag, tags.Prefix), tags.Rule{Resource: tags.Stage, Check: func(v string) string {
		if _, err := ratelimit.Parse(v); err != nil {
			return ratelimit.Want
		}
		return ""
	}})
}
