package operation

import (
	"errors"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/store"
)

// Page reads the limit and position of an API Gateway list: 25 items by default and for a
// limit that is not positive, at most 500.
func Page(limit *int32, position *string) store.Page {
	p := store.Page{Limit: 25, After: opt.Value(position)}
	if limit != nil && *limit > 0 {
		p.Limit = min(int(*limit), 500)
	}
	return p
}

// ListError words a position that is not one of ours as API Gateway does.
func ListError(err error) error {
	if errors.Is(err, store.ErrCursor) {
		return apigateway.BadRequestException("Invalid position parameter specified")
	}
	return err
}
