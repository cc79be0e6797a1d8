package compile

import (
	"gatehouse/internal/model"
)

// stageRefusal names a setting of the whole stage that no step enforces yet, "" when there
// is none. A stage so marked answers 500 and says why in the log: it is never served
// without what was asked for.
func stageRefusal(st model.Stage, snapshot model.Snapshot) string {
	switch {
	case snapshot.API.EndpointConfiguration.Type() == "PRIVATE":
		return "private endpoints are not offered yet"
	}
	return ""
}
