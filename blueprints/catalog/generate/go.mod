module surety/blueprints/catalog/generate

go 1.26.0

require (
	github.com/LeanerCloud/ec2-instances-info v0.0.0-20250528091325-32acf84f42eb // read as data, and imported by nothing
	github.com/shopspring/decimal v1.4.0
	surety v0.0.0
)

require (
	a.surety/quiet v0.0.0 // indirect
	github.com/agext/levenshtein v1.2.3 // indirect
	github.com/xeipuuv/gojsonpointer v0.0.0-20180127040702-4e3ac2762d5f // indirect
	github.com/xeipuuv/gojsonreference v0.0.0-20180127040603-bd5ef7bd5415 // indirect
	github.com/xeipuuv/gojsonschema v1.2.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)

replace (
	a.surety/quiet => ../../../internal/quiet
	github.com/LeanerCloud/ec2-instances-info => github.com/cristim/ec2-instances-info v0.0.0-20250528091325-32acf84f42eb
	surety => ../../..
)
