//go:build !race

package elsewhere

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/packages"
)

// TestElsewhere checks the types of all our code, for systems that it is not tested on, as their compilers would. Of what others
// wrote it reads declarations only, so that it takes seconds where compiling takes minutes; make dist compiles.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	for _, system := range []string{"darwin/arm64", "windows/amd64"} {
		goos, arch, _ := strings.Cut(system, "/")
		loaded, err := packages.Load(&packages.Config{
			Context: t.Context(),
			Mode:    packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedDeps | packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesInfo,
			Dir:     root,
			Tests:   goos != "windows", // which has not the signals that some need
			Env:     append(os.Environ(), "GOOS="+goos, "GOARCH="+arch, "CGO_ENABLED=0"),
			ParseFile: func(files *token.FileSet, name string, source []byte) (*ast.File, error) {
				file, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
				if file != nil && !strings.HasPrefix(name, root) {
					for _, declaration := range file.Decls {
						if function, ok := declaration.(*ast.FuncDecl); ok {
							function.Body = nil
						}
					}
				}
				return file, err
			},
		}, "./...")
		require.NoError(t, err)
		ours := 0
		packages.Visit(loaded, nil, func(p *packages.Package) {
			if !strings.HasPrefix(p.PkgPath, "github.com/mini-livechat/") || strings.HasSuffix(p.ID, ".test") || len(p.GoFiles) == 0 {
				return // without files are tests alone, and .test is their main, which go makes
			}
			ours++
			for _, problem := range p.Errors {
				t.Errorf("%s: %s", system, problem)
			}
		})
		require.Greater(t, ours, 20)
	}
}
