// Package logstore keeps log events on disk: groups of streams of events, as CloudWatch
// Logs has them. The data plane appends to it, the logs service reads and searches it, the
// server opens and runs it.
//
// Appending never blocks: a line, or the lines of a request together, is copied into one
// bounded queue, and when that is full it is dropped and counted. One goroutine, Run, writes what is queued in batches to
// segment files, a folder per group. A process that ends in order writes everything; one
// that is killed loses what was queued in the last 20 ms, a machine that loses
// power also what the kernel had not written back. A record that was torn is dropped, with
// what follows it in its segment, when the group is used again.
//
// Whole segments are removed when they are older than their group's retention, and the
// oldest of all when the files exceed the size cap. Reading goes on while that happens. A
// Store is safe for concurrent use.
package logstore
