package remote

import "encoding/json"

// failure is the document of a function that failed.
func failure(kind, text string) []byte {
	b, err := json.Marshal(map[string]string{"errorType": kind, "errorMessage": text})
	if err != nil {
		panic("remote: " + err.Error()) // text alone
	}
	return b
}

// isFailure reports whether a service's answer is such a document itself.
func isFailure(payload []byte) bool {
	var d struct {
		Message *string `json:"errorMessage"`
	}
	return json.Unmarshal(payload, &d) == nil && d.Message != nil
}

// message reads the text of an error of Lambda, which has two spellings for its member.
func message(document []byte, otherwise string) string {
	var d struct{ Message string } // "Message" or "message"
	if json.Unmarshal(document, &d) != nil || d.Message == "" {
		return otherwise
	}
	return d.Message
}
