// Command gatehouse serves REST APIs as Amazon API Gateway does, and takes its
// configuration through the same calls.
package main

import "fmt"

func main() {
	fmt.Println("gatehouse")
}
