// Program argocd is the part of Argo CD that tests need: what compares a cluster with Git, what
// renders Git, and the judgement of one object's health. The command line, the web server and the
// rest would be a quarter more to compile. Its name says which of the three it is.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	reposerver "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func main() {
	var command *cobra.Command
	switch name := filepath.Base(os.Args[0]); name {
	case "argocd-application-controller":
		command = controller.NewCommand()
	case "argocd-repo-server":
		command = reposerver.NewCommand()
	default:
		command = &cobra.Command{
			Use:  name + " SCRIPT OBJECT",
			Args: cobra.ExactArgs(2),
			RunE: func(_ *cobra.Command, args []string) error { return health(args[0], args[1]) },
		}
	}
	if command.Execute() != nil {
		os.Exit(1)
	}
}

// health prints what the controller would find with this script in its settings, as JSON.
func health(script, object string) error {
	text, err := os.ReadFile(script)
	if err != nil {
		return err
	}
	document, err := os.ReadFile(object)
	if err != nil {
		return err
	}
	judged := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(document, &judged.Object); err != nil {
		return err
	}
	kind := judged.GroupVersionKind().GroupKind()
	overrides := lua.ResourceHealthOverrides{
		kind.Group + "/" + kind.Kind: v1alpha1.ResourceOverride{HealthLua: string(text)},
	}
	found, err := overrides.GetResourceHealth(judged)
	if err != nil {
		return err
	}
	if found == nil {
		return fmt.Errorf("%s has no health", kind)
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}
