package commands

import (
	"github.com/spf13/cobra"

	"surety/blueprints/compare"
)

func (a *app) costCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "cost [PROVIDER/REGION]",
		Short: "Print the bill of materials at a provider, line by line, a month of 730 hours",
		Long: `Prints what each component costs at a provider's region: what is bought, how much of it, at which unit price, and what is assumed
where the spec does not say how much is used. Without a place it is the winner of surety compare, or what comes nearest.
A usage that is a range makes a range; a price that is not known makes the total a lower bound, and is never counted as nothing.
Exit 3 when even the lower bound is above objectives.budget.`,
		Example: `  surety cost
  surety cost gcp/asia-east1 --egress 500GiB
  surety cost aws/ap-northeast-1 --commit 1y --json`,
		Args: cobra.MaximumNArgs(1),
	}
	marketFlags(c)
	c.Flags().Bool("steps", false, "also print what the next step of each requirement up or down would cost")
	c.RunE = func(_ *cobra.Command, args []string) error {
		result, _, err := a.compare("", false, args)
		if err != nil {
			return err
		}
		if len(result.Offers) == 0 || result.Offers[0].Infeasible != "" {
			if len(result.Offers) == 0 {
				return fault("nothing is offered: no region is known")
			}
			return fault("nothing is offered at %s: %s", result.Offers[0].Name(), result.Offers[0].Infeasible)
		}
		offer := result.Offers[0]
		s := a.screen()
		s.Cost(offer)
		if a.settings.GetBool("steps") {
			s.Steps(result)
		}
		if err := a.print(struct {
			compare.Offer
			Steps []compare.Step `json:"steps"`
		}{offer, result.Steps}); err != nil {
			return err
		}
		if j := offer.Judge("objectives.budget"); j != nil && j.State == compare.Breached {
			return ended(Breached, "the budget is breached")
		}
		return nil
	}
	return c
}
