// Package functions does what Lambda's operations do: functions, versions, aliases,
// permissions, layers and settings over the store, and Invoke over package runtime. The
// server binds it, runs Functions.Run, and calls functions for the data plane through
// Functions.Call.
//
// A function is one document with its versions and aliases; its packages are attached to
// it. Calls work on a directory in memory that follows the store, and on code that was
// unpacked to a folder of the server, so that they go on without the database. What
// Lambda can be told and this package cannot do is refused with an error that names it.
//
// Functions is safe for concurrent use.
package functions
