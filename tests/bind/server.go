// SPDX-License-Identifier: Apache-2.0
// A Go server as people write them: net/http on every address. With an argument it fetches that URL
// instead and prints the answer.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

func main() {
	if len(os.Args) > 1 {
		answer, err := http.Get(os.Args[1])
		if err != nil {
			fmt.Println(err)
			return
		}
		text, _ := io.ReadAll(answer.Body)
		fmt.Print(string(text))
		return
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		from, _, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprintf(w, "I am %s, you are %s\n", os.Getenv("PARTICLE_IP"), from)
	})
	listener, err := net.Listen("tcp", ":8080")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("serving")
	http.Serve(listener, nil)
}
