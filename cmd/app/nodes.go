package app

import "slices"

// refuges returns where people go on when this server is gone, where that was said at the start; nil: it was not.
func (a *App) refuges() func() []string {
	if len(a.cfg.NodeURLs) == 0 {
		return nil
	}
	urls := slices.Sorted(slices.Values(a.cfg.NodeURLs))
	return func() []string { return urls }
}
