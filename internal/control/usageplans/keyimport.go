package usageplans

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// ImportApiKeys makes keys from a CSV file (throttling-and-usage-plans, section 6.1). With
// failonwarnings, a row that cannot be taken refuses the whole file.
func (s *UsagePlans) ImportApiKeys(ctx context.Context, in *apigateway.ImportApiKeysInput) (*apigateway.ImportApiKeysOutput, error) {
	rows, err := readCSV(in.Body)
	if err != nil {
		return nil, badRequest("Failed to parse the API key file: " + err.Error())
	}
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.ImportApiKeysOutput, error) {
		out := &apigateway.ImportApiKeysOutput{}
		for _, row := range rows {
			id, warning, err := s.importRow(ctx, tx, row)
			if err != nil {
				return nil, err
			}
			if warning != "" {
				out.Warnings = append(out.Warnings, warning)
			}
			if id != "" {
				out.Ids = append(out.Ids, id)
			}
		}
		if opt.Value(in.FailOnWarnings) && len(out.Warnings) > 0 {
			return nil, badRequest("Import failed with warnings: " + strings.Join(out.Warnings, "; "))
		}
		return out, nil
	})
}

// A keyRow is one line of the file.
type keyRow struct {
	line                   int
	name, key, description string
	enabled                bool
	plans                  []string
}

// maxRows bounds a file: an account holds 10,000 keys.
const maxRows = 10_000

// readCSV reads the file; columns come in any order and unknown ones are ignored.
func readCSV(body []byte) ([]keyRow, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
	r.FieldsPerRecord, r.LazyQuotes, r.TrimLeadingSpace = -1, true, true
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("the header row cannot be read: %w", err)
	}
	column := map[string]int{}
	for i, name := range header {
		column[strings.ToLower(strings.TrimSpace(name))] = i
	}
	if _, ok := column["key"]; !ok {
		return nil, errors.New("the header row has no column Key")
	}
	if _, ok := column["name"]; !ok {
		return nil, errors.New("the header row has no column Name")
	}
	var rows []keyRow
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		if len(rows) == maxRows {
			return nil, fmt.Errorf("it has more than %d keys", maxRows)
		}
		line, _ := r.FieldPos(0)
		rows = append(rows, newRow(record, column, line))
	}
}

func newRow(record []string, column map[string]int, line int) keyRow {
	cell := func(name string) string {
		if i, ok := column[name]; ok && i < len(record) {
			return strings.TrimSpace(record[i])
		}
		return ""
	}
	row := keyRow{line: line, name: cell("name"), key: cell("key"), description: cell("description"), enabled: true}
	if e := cell("enabled"); e != "" {
		row.enabled = strings.EqualFold(e, "true")
	}
	for id := range strings.SplitSeq(strings.Trim(cell("usageplanids"), `'"`), ",") {
		if id = strings.TrimSpace(id); id != "" {
			row.plans = append(row.plans, id)
		}
	}
	return row
}

// importRow makes a key, or overwrites the one with the same value.
func (s *UsagePlans) importRow(ctx context.Context, tx *store.Tx, row keyRow) (id, warning string, err error) {
	k := model.APIKey{ID: model.NewID(10), Name: row.name, Description: row.description, Enabled: row.enabled, CreatedDate: operation.Now(tx), LastUpdatedDate: operation.Now(tx)}
	if err := checkKey(k, row.key); err != nil {
		return "", fmt.Sprintf("line %d: %s", row.line, err), nil
	}
	in := operation.Scope(ctx)
	holder, err := tx.Holder(hashScope(in), s.Hasher.Sum(row.key).String())
	switch {
	case err == nil:
		it, err := keys.Item(tx, in, holder.ID)
		if err != nil {
			return "", "", err
		}
		k.ID = it.Value.ID
		it.Value.Name, it.Value.Description, it.Value.Enabled, it.Value.LastUpdatedDate = k.Name, k.Description, k.Enabled, k.LastUpdatedDate
		if err := keys.Replace(tx, it); err != nil {
			return "", "", err
		}
	case errors.Is(err, store.ErrNotFound):
		if err := s.create(ctx, tx, k, row.key); err != nil {
			return "", "", err
		}
	default:
		return "", "", err
	}
	for _, p := range row.plans {
		plan, err := plans.Get(tx, in, p)
		if errors.Is(err, store.ErrNotFound) {
			warning = fmt.Sprintf("line %d: Invalid Usage Plan ID specified: %s", row.line, p)
			continue
		}
		if err != nil {
			return "", "", err
		}
		var refused *awserr.Error
		if err := checkKeyInPlan(tx, in, plan, k.ID); errors.As(err, &refused) {
			warning = fmt.Sprintf("line %d: %s", row.line, refused.Message)
			continue
		} else if err != nil {
			return "", "", err
		}
		if err := planKeys.Put(tx, in.Of(p), k.ID, model.UsagePlanKey{ID: k.ID, Type: "API_KEY", Name: k.Name}); err != nil {
			return "", "", err
		}
	}
	return k.ID, warning, nil
}
