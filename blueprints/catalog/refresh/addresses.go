package refresh

// Addresses are the documented public addresses of the price lists, by provider:
// https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-the-aws-price-list-bulk-api.html,
// https://learn.microsoft.com/rest/api/cost-management/retail-prices/azure-retail-prices,
// https://cloud.google.com/billing/docs/reference/rest/v1/services.skus/list.
var Addresses = map[string]string{
	"aws":   "https://pricing.us-east-1.amazonaws.com",
	"azure": "https://prices.azure.com",
	"gcp":   "https://cloudbilling.googleapis.com",
}

// KeyVariable is the environment variable that holds the API key for Google's catalogue.
const KeyVariable = "GOOGLE_API_KEY"
