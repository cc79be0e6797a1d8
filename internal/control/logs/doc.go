// Package logs serves the operations of CloudWatch Logs over two places: log groups with
// their retention and tags are documents of the store, streams and events lie in the log
// store of this node (internal/logstore). The server binds it to the wire.
//
// A group exists when it has a document or when the log store holds something for it: the
// groups that the data plane writes to need not be created. In a cluster each node shows the
// events that it wrote itself. A Logs is safe for concurrent use.
package logs
