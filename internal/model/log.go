package model

// LogGroup is a log group of CloudWatch Logs. Its events are not documents: they lie in the
// log store of the node that wrote them.
type LogGroup struct {
	LogGroupName    string            `json:"logGroupName"`
	CreationTime    int64             `json:"creationTime"`              // milliseconds since 1970
	RetentionInDays int               `json:"retentionInDays,omitempty"` // 0: for ever
	Tags            map[string]string `json:"tags,omitempty"`
}

// LogGroupARN returns the ARN of a log group, without the ":*" that stands for its streams.
func LogGroupARN(region, account, name string) string {
	return ARN{Partition: "aws", Service: "logs", Region: region, Account: account, Resource: "log-group:" + name}.String()
}
