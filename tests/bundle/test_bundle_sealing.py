from penstock.bundle import open_bundle


def test_a_sealed_bundle_answers_as_the_estimator_did(draft, directory, signer, requests):
    bundle = open_bundle(directory, trusted=[signer.public])

    answers = bundle.predict(requests, draft.views)

    assert answers.scores.tolist() == draft.estimator.predict_proba(draft.vectors)[:, 1].tolist()
    assert answers.vectors.equals(draft.vectors)
    assert answers.labels == [score >= 0.25 for score in answers.scores]
    assert bundle.check_probe()
