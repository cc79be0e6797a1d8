package sigv4

import (
	"errors"
	"testing"
	"time"

	"gatehouse/internal/message"
)

// Expect refuses what Verify would refuse whatever the body is, and reads none of it.
func TestExpect(t *testing.T) {
	svc := RestJSON("lambda")
	request := func(credential string) *Request {
		r := &Request{Method: "POST", Path: "/", Host: "localhost", Body: unreadable{t}}
		r.Header = message.Header{
			{Name: "X-Amz-Date", Value: testTime.Format(timeFormat)},
			{Name: "Authorization", Value: algorithm + " Credential=" + credential + "/20261123/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + emptyHash},
		}
		return r
	}
	for _, tt := range []struct {
		name, credential string
		now              time.Time
		want             Kind
	}{
		{"a known key", testID, testTime, 0},
		{"an unknown key", "AKIANOBODY", testTime, UnknownKey},
		{"an old signature", testID, testTime.Add(time.Hour), SignatureExpired},
	} {
		err := newVerifier(tt.now).Expect(t.Context(), &svc, request(tt.credential))
		e, _ := errors.AsType[*Error](err)
		if tt.want == 0 && err != nil || tt.want != 0 && (e == nil || e.Kind != tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	if err := newVerifier(testTime).Expect(t.Context(), &svc, &Request{Method: "POST", Path: "/", Host: "localhost"}); err == nil {
		t.Error("a request without a signature is expected")
	}
}

type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body is read")
	return 0, errors.New("unreadable")
}
