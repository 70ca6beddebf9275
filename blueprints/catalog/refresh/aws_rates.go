package refresh

import (
	"strings"

	"surety/blueprints/catalog"
)

// awsClasses are the catalogue's words for S3's storage, by the usage type.
var awsClasses = map[string]string{"TimedStorage-ByteHrs": "standard", "TimedStorage-SIA-ByteHrs": "standard-ia", "TimedStorage-ZIA-ByteHrs": "one-zone-ia",
	"TimedStorage-INT-FA-ByteHrs": "intelligent-tiering", "TimedStorage-GlacierByteHrs": "glacier-flexible", "TimedStorage-GDA-ByteHrs": "glacier-deep"}

// rate says what is sold by quantity that a product is. A "GB" of AWS is 2^30 bytes: https://aws.amazon.com/s3/pricing/ (notes).
func (p *awsProduct) rate(offer, usage string) (awsWanted, bool) {
	a := &p.Attributes
	of := func(what catalog.What, class, unit, listed string) (awsWanted, bool) {
		return awsWanted{rate: catalog.Rate{What: what, Class: class, Unit: unit}, unit: listed}, true
	}
	switch offer {
	case "AmazonEC2":
		class, isVolume := strings.CutPrefix(usage, "EBS:VolumeUsage")
		class = strings.TrimPrefix(class, ".")
		switch {
		case isVolume && p.Family == "Storage" && a.VolumeName != "" && (class == a.VolumeName || class == "piops" && a.VolumeName == "io1" || class == ""):
			return of(catalog.BlockStorage, a.VolumeName, "GiB-month", "GB-Mo")
		case usage == "EBS:VolumeP-IOPS.gp3":
			return of(catalog.BlockIOPS, "gp3", "IOPS-month", "IOPS-Mo")
		case usage == "EBS:VolumeP-IOPS.piops":
			return of(catalog.BlockIOPS, "io1", "IOPS-month", "IOPS-Mo")
		case usage == "EBS:VolumeP-Throughput.gp3":
			w, ok := of(catalog.BlockThroughput, "gp3", "MiB/s-month", "GiBps-mo")
			w.parts = 1024
			return w, ok
		case usage == "EBS:SnapshotUsage":
			return of(catalog.Snapshot, "snapshot", "GiB-month", "GB-Mo")
		}
	case "AmazonRDS":
		switch usage {
		case "RDS:GP2-Storage":
			return of(catalog.DatabaseStorage, "gp2", "GiB-month", "GB-Mo")
		case "RDS:GP3-Storage":
			return of(catalog.DatabaseStorage, "gp3", "GiB-month", "GB-Mo")
		case "RDS:Multi-AZ-GP2-Storage":
			return of(catalog.DatabaseStorageHA, "gp2", "GiB-month", "GB-Mo")
		case "RDS:Multi-AZ-GP3-Storage":
			return of(catalog.DatabaseStorageHA, "gp3", "GiB-month", "GB-Mo")
		case "RDS:ChargedBackupUsage":
			return of(catalog.DatabaseBackup, "", "GiB-month", "GB-Mo")
		}
	case "AmazonS3":
		if class := awsClasses[usage]; class != "" && p.Family == "Storage" {
			return of(catalog.ObjectStorage, class, "GiB-month", "GB-Mo")
		}
		if what := map[string]catalog.What{"S3-API-Tier1": catalog.ObjectPut, "S3-API-Tier2": catalog.ObjectGet}[a.Group]; what != "" &&
			strings.HasPrefix(usage, "Requests-Tier") {
			w, ok := of(what, "standard", "1,000 requests", "Requests")
			w.times = 1000
			return w, ok
		}
	case "AWSELB":
		if a.Operation == "LoadBalancing:Application" {
			switch usage {
			case "LoadBalancerUsage":
				return of(catalog.BalancerHour, "application", "hour", "Hrs")
			case "LCUUsage":
				return of(catalog.BalancerTraffic, "application", "LCU-hour", "LCU-Hrs")
			}
		}
	case "AmazonVPC":
		if usage == "PublicIPv4:InUseAddress" {
			return of(catalog.PublicAddress, "in use", "hour", "Hrs")
		}
		if usage == "PublicIPv4:IdleAddress" {
			return of(catalog.PublicAddress, "unused", "hour", "Hrs")
		}
	case "AWSDataTransfer":
		switch {
		case a.Transfer == "AWS Outbound" && a.ToLocation == "External" && usage == "DataTransfer-Out-Bytes":
			return of(catalog.Egress, "", "GiB", "GB")
		case a.Transfer == "IntraRegion" && usage == "DataTransfer-Regional-Bytes":
			return of(catalog.InterZone, "", "GiB", "GB")
		}
	}
	return awsWanted{}, false
}
