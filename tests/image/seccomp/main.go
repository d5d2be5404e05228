// Writes the seccomp profile that containerd gives a container of the OCI configuration on standard
// input: what Kubernetes calls RuntimeDefault.
package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func main() {
	var spec specs.Spec
	if err := json.NewDecoder(os.Stdin).Decode(&spec); err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(seccomp.DefaultProfile(&spec)); err != nil {
		log.Fatal(err)
	}
}
