package catalog

import "testing"

func BenchmarkFiveRegions(b *testing.B) {
	for b.Loop() {
		c, err := loadEmbedded()
		if err != nil {
			b.Fatal(err)
		}
		for p, regions := range map[string][]string{"aws": {"ap-northeast-1", "us-east-1"}, "gcp": {"asia-east1", "us-central1"}} {
			for _, r := range regions {
				if len(c.Provider(p).Instances(r)) < 100 {
					b.Fatal(p, r)
				}
			}
		}
	}
}
