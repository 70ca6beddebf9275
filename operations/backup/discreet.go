package backup

import "strings"

// discreet keeps secrets out of an error's text. Libraries are not known to put any there; what is said here goes to logs and terminals.
func (j Job) discreet(err error) error {
	if err == nil {
		return nil
	}
	secrets := []string{j.Repository.Password, j.Repository.SecretKey, j.Repository.AccessKey}
	if j.Bucket != nil {
		secrets = append(secrets, j.Bucket.SecretKey, j.Bucket.AccessKey)
	}
	text := err.Error()
	clean := text
	for _, s := range secrets {
		if len(s) >= 4 { // a shorter one would be found in every other word
			clean = strings.ReplaceAll(clean, s, "•••")
		}
	}
	if clean == text {
		return err
	}
	return discreetError(clean)
}

type discreetError string

func (e discreetError) Error() string { return string(e) }
