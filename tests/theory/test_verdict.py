from qmf.theory import CovarianceTest, judge


def test(covariance, lower, upper):
    return CovarianceTest(covariance, lower, upper, 0.5, 100.0)


test.__test__ = False


def words(total, **tests):
    return judge(tests, total)


def test_certified_names_the_modality_nearest_to_zero():
    verdict = words(test(-0.3, -0.4, -0.2), image=test(-0.2, -0.3, -0.1), text=test(-0.1, -0.2, -0.05))
    assert verdict.status == "certified"
    assert "nearest to 0: text -0.1000, at most -0.0500" in verdict.sentence
    assert "is 0.3000 below that of static weights" in verdict.sentence


def test_not_certified_names_what_may_rise_and_what_does():
    verdict = words(test(0.0, -0.1, 0.1), a=test(0.2, 0.1, 0.3), b=test(-0.3, -0.4, -0.2), c=test(0.1, -0.1, 0.3))
    assert verdict.status == "not certified"
    assert "is above 0 for a (+0.2000, at least +0.1000)" in verdict.sentence
    assert "may be above 0 for c (+0.1000, up to +0.3000)" in verdict.sentence
    assert " b (" not in verdict.sentence


def test_not_certified_says_if_the_bound_is_tighter_all_the_same():
    verdict = words(test(-0.1, -0.2, -0.05), a=test(-0.2, -0.3, -0.1), b=test(0.1, -0.1, 0.3))
    assert verdict.status == "not certified"
    assert "In total it is below 0 (-0.1000, at most -0.0500)" in verdict.sentence


def test_harmful_names_where_it_comes_from_worst_first():
    verdict = words(test(0.3, 0.2, 0.4), a=test(0.1, 0.0, 0.2), b=test(0.25, 0.1, 0.4), c=test(-0.05, -0.1, 0.0))
    assert verdict.status == "harmful"
    assert "sums to +0.3000, at least +0.2000 with 95 % confidence" in verdict.sentence
    assert verdict.sentence.endswith("Above 0 are b +0.2500 and a +0.1000.")


def test_constant_weights_are_static_fusion():
    verdict = words(test(0.0, 0.0, 0.0), a=test(0.0, 0.0, 0.0), b=test(0.0, 0.0, 0.0))
    assert verdict.status == "certified"
    assert "its weights do not vary" in verdict.sentence
