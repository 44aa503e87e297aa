"""What is explored: where it begins, who does what, how much may go wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.exploration.actors import Troupe
from tests.exploration.beginnings import (
    asking,
    backed_up,
    configuring,
    deploying,
    deploying_first,
    frozen,
    frozen_before_weight,
    frozen_while_deploying,
    judging,
    late_repair,
    late_weight,
    looking,
    looking_late,
    migrating,
    migration_left,
    migration_made,
    overwritten,
    pinning_late,
    promoting,
    scaling,
    serving,
    shifting,
    straggling,
    straggling_first,
    turned,
    waking_late,
    warming,
    window_open,
)
from tests.exploration.product import Way
from tests.exploration.world import Budget, State


@dataclass(frozen=True)
class Scenario:
    """A beginning, and what may happen.

    `mended`: somebody breaks the world by hand, so that it is at peace only after a reconciler's look.
    """

    about: str
    begin: Callable[[Troupe], State]
    people: tuple[tuple[str, ...], ...] = ()
    left: Budget = field(default_factory=Budget)
    way: Way = "two slots"
    mended: bool = False

    @property
    def judged(self) -> tuple[str, ...]:
        """The invariants that every move is held to (`Moves`).

        What somebody woke or gave weight by hand is nobody's to drain; and while people are at it they may break
        what was looked at before every write that follows.
        """
        if not self.mended:
            return ("I", "jobs")
        return ("I2", "I4", "I9") if self.people else ("I1", "I2", "I4", "I9")

    def first(self, troupe: Troupe) -> State:
        """The state in which the search begins."""
        looks = self.left.looks[: len(troupe.product.reconcilers)]
        left = self.left._replace(looks=looks)
        return self.begin(troupe)._replace(people=self.people, left=left)


SCENARIOS: dict[str, Scenario] = {
    "release": Scenario(
        "a whole release and its window; any function dies once",
        serving,
        (("release v2",),),
        Budget(crashes=1, ticks=6, leaps=1, looks=(1, 1)),
    ),
    "another-configuration": Scenario(
        "a release of the image that serves, with another configuration, and somebody rolls back",
        configuring,
        (("release v2", "rollback x"),),
        Budget(ticks=3),
    ),
    "rollback-while-shifting": Scenario(
        "a release about to shift, and somebody rolls back",
        shifting,
        (("rollback x",),),
        Budget(ticks=6),
    ),
    "rollback-while-shifting-death": Scenario(
        "the same; any function dies once, and what it sent lands late or never",
        shifting,
        (("rollback x",),),
        Budget(crashes=1, ticks=3),
    ),
    "looks-while-shifting": Scenario(
        "a release about to shift, and the reconciler of traffic looks in the middle of it",
        shifting,
        left=Budget(ticks=3, looks=(2,)),
    ),
    "looks-after-late-weight": Scenario(
        "what a dead function sent to the rule lands while the release is rolled back; the reconciler looks at it twice",
        late_weight,
        left=Budget(ticks=5, looks=(2,)),
    ),
    "looks-after-death": Scenario(
        "who decides about an alert dies once, and the reconciler looks, at once or when the lease has run out",
        window_open,
        (("alert x",),),
        Budget(crashes=1, leaps=1, looks=(1,)),
    ),
    "alert-while-shifting": Scenario(
        "a release about to shift, and who decides about an alert takes users back before any machine begins",
        shifting,
        (("alert x",),),
        Budget(ticks=6),
    ),
    "alert-while-shifting-death": Scenario(
        "the same; any function dies once, and what it sent lands late or never: the reconciler finishes it",
        shifting,
        (("alert x",),),
        Budget(crashes=1, ticks=3),
    ),
    "asked-while-shifting": Scenario(
        "a release about to shift, and the endpoint that a person asks takes users back before any machine begins",
        shifting,
        (("ask for rollback x",),),
        Budget(ticks=6),
    ),
    "asked-while-shifting-death": Scenario(
        "the same; any function dies once, and what it sent lands late or never: the reconciler finishes it",
        shifting,
        (("ask for rollback x",),),
        Budget(crashes=1, ticks=3),
    ),
    "alert-and-operator": Scenario(
        "an alert and a person roll back at once",
        shifting,
        (("alert x",), ("ask for rollback y",)),
        Budget(ticks=3),
    ),
    "rollback-while-deploying": Scenario(
        "a release about to deploy, and somebody rolls back",
        deploying,
        (("rollback x",),),
        Budget(ticks=6),
    ),
    "rollback-while-deploying-death": Scenario(
        "the same; any function dies once",
        deploying,
        (("rollback x",),),
        Budget(crashes=1, ticks=3),
    ),
    "rollback-while-deploying-unheard": Scenario(
        "the same; an invocation goes on that its machine hears nothing of",
        deploying,
        (("rollback x",),),
        Budget(lost=1, ticks=3),
    ),
    "rollback-while-deploying-first": Scenario(
        "the same where the slot was never deployed: nothing is there to be conditional on",
        deploying_first,
        (("rollback x",),),
        Budget(ticks=6),
    ),
    "rollback-while-scaling": Scenario(
        "a release about to get capacity, and somebody rolls back",
        scaling,
        (("rollback x",),),
        Budget(ticks=6),
    ),
    "in-place": Scenario(
        "a version comes in place of another one, and somebody rolls back",
        deploying_first,
        (("rollback x",),),
        Budget(ticks=6),
        way="in place",
    ),
    "in-place-death": Scenario(
        "the same; any function dies once",
        deploying_first,
        (("rollback x",),),
        Budget(crashes=1, ticks=4),
        way="in place",
    ),
    "worker": Scenario(
        "a worker's release by shares of Pods, and its window; any function dies once",
        serving,
        (("release v2",),),
        Budget(crashes=1, ticks=6, leaps=1, looks=(1, 1)),
        way="shares",
    ),
    "worker-rollback": Scenario(
        "a worker's release about to shift, and somebody rolls back",
        shifting,
        (("rollback x",),),
        Budget(ticks=6, looks=(0, 1)),
        way="shares",
    ),
    "worker-rollback-alone": Scenario(
        "the same, and no reconciler looks",
        shifting,
        (("rollback x",),),
        Budget(ticks=3),
        way="shares",
    ),
    "worker-rollback-death": Scenario(
        "the same; any function dies once, and what it sent lands late or never",
        shifting,
        (("rollback x",),),
        Budget(crashes=1, ticks=4, looks=(0, 1)),
        way="shares",
    ),
    "worker-window": Scenario(
        "a promoted worker whose window closes, and somebody rolls back meanwhile",
        window_open,
        (("rollback x",),),
        Budget(crashes=1, ticks=6, leaps=1, looks=(0, 1)),
        way="shares",
    ),
    "job": Scenario(
        "a release with a migration, which ends well, or not; any function dies once",
        migrating,
        left=Budget(crashes=1, ticks=5, ends=("complete", "failed")),
        way="jobs",
    ),
    "job-late": Scenario(
        "the migration hangs, and its time runs out; any function dies once",
        migrating,
        left=Budget(crashes=1, ticks=2, leaps=1),
        way="jobs",
    ),
    "job-unanswered": Scenario(
        "a release with a migration; calls get no answer, done or not",
        migrating,
        left=Budget(errors=1, ticks=5, ends=("complete", "failed")),
        way="jobs",
    ),
    "job-unheard": Scenario(
        "the same; a look goes on that its machine hears nothing of: the same Job is asked for again",
        migrating,
        left=Budget(lost=1, ticks=3, ends=("complete", "failed")),
        way="jobs",
    ),
    "job-deleted": Scenario(
        "somebody deletes the Job of a release whenever it may be; any function dies once",
        migrating,
        (("delete the Jobs of release2",),),
        Budget(crashes=1, ticks=3, ends=("complete",)),
        way="jobs",
    ),
    "job-deleted-unheard": Scenario(
        "the same; looks go on that their machine hears nothing of",
        migrating,
        (("delete the Jobs of release2",),),
        Budget(lost=2, ticks=1),
        way="jobs",
    ),
    "job-suspended": Scenario(
        "somebody suspends the Job of a release while it runs; a look goes on that its machine hears nothing of",
        migration_made,
        (("suspend the Jobs of release2",),),
        Budget(lost=1, ticks=1),
        way="jobs",
    ),
    "job-rollback": Scenario(
        "somebody rolls back while a migration begins, runs or ends",
        migration_made,
        (("rollback x",),),
        Budget(ticks=3, ends=("complete", "failed")),
        way="jobs",
    ),
    "job-rollback-death": Scenario(
        "the same; any function dies once, and what it sent lands late or never",
        migration_made,
        (("rollback x",),),
        Budget(crashes=1, ticks=3, ends=("complete", "failed")),
        way="jobs",
    ),
    "job-in-place": Scenario(
        "somebody rolls back while the migration of a version runs that comes in place of another one",
        migration_made,
        (("rollback x",),),
        Budget(ticks=3, ends=("complete",)),
        way="jobs in place",
    ),
    "job-left": Scenario(
        "a release was taken back while its migration still runs, and the next one has one, too; any function dies once",
        migration_left,
        (("release v3",),),
        Budget(crashes=1, ticks=4, ends=("complete", "failed")),
        way="jobs",
    ),
    "job-stopped": Scenario(
        "somebody stops the execution while a migration runs, and somebody else starts the next release",
        migration_made,
        (("release v3",),),
        Budget(stops=1, ticks=3, ends=("complete",), looks=(1, 1)),
        way="jobs",
    ),
    "job-after": Scenario(
        "a Job when all traffic is on its version; any function dies once",
        warming,
        left=Budget(crashes=1, ticks=3, leaps=1, ends=("complete", "failed")),
        way="jobs",
    ),
    "job-after-rollback": Scenario(
        "the same, and somebody rolls back",
        warming,
        (("rollback x",),),
        Budget(ticks=4, ends=("complete", "failed")),
        way="jobs",
    ),
    "two-operators": Scenario(
        "two people roll back while a release shifts",
        shifting,
        (("rollback x",), ("rollback y",)),
        Budget(ticks=3),
    ),
    "stopped": Scenario(
        "somebody stops an execution, and somebody else starts the next release",
        shifting,
        (("release v3",),),
        Budget(stops=1, ticks=3, looks=(1, 1)),
    ),
    "window-closes": Scenario(
        "the window closes, and the next release starts at that moment",
        window_open,
        (("release v3",),),
        Budget(ticks=6),
    ),
    "window-closes-death": Scenario(
        "the same; any function dies once",
        window_open,
        (("release v3",),),
        Budget(crashes=1, ticks=3),
    ),
    "rollback-as-window-closes": Scenario(
        "the window closes, and somebody rolls back at that moment; any function dies once",
        window_open,
        (("rollback x",),),
        Budget(crashes=1, ticks=4),
    ),
    "straggler": Scenario(
        "a deploy of a release that was taken back comes late, into the next release's slot",
        straggling,
        (("release v3",),),
        Budget(ticks=3),
    ),
    "straggler-first": Scenario(
        "the same where the slot was never deployed: nothing is there to be conditional on",
        straggling_first,
        (("release v3",),),
        Budget(ticks=3),
    ),
    "straggler-alone": Scenario(
        "a deploy of a release that was taken back comes late, and wakes what was retired",
        straggling,
        left=Budget(ticks=2, looks=(0, 1)),
        mended=True,
    ),
    "straggler-waking": Scenario(
        "a deploy that is later than anybody waits for wakes Pods that a rollback has taken away",
        waking_late,
        left=Budget(ticks=1),
    ),
    "straggler-pinning": Scenario(
        "a release that was taken back keeps the stable slot from scaling in, later than anybody waits for",
        pinning_late,
        left=Budget(ticks=1),
    ),
    "late-weight": Scenario(
        "what a dead function sent to the rule lands while the release is rolled back; another one dies",
        late_weight,
        left=Budget(crashes=1, ticks=5),
    ),
    "late-repair": Scenario(
        "what a dead reconciler sent to the rule lands while somebody rolls back",
        late_repair,
        (("rollback x",),),
        Budget(ticks=5),
    ),
    "looks-while-retiring": Scenario(
        "the reconcilers look while the previous slot is retired",
        window_open,
        (),
        Budget(ticks=4, looks=(1, 1)),
    ),
    "looks-while-rolling-back": Scenario(
        "the reconcilers look while a release is rolled back; any function dies once",
        shifting,
        (("rollback x",),),
        Budget(crashes=1, ticks=2, looks=(1, 1)),
    ),
    "restored": Scenario(
        "the table is restored to a time before the release that serves; then somebody rolls back",
        backed_up,
        (("restore the table", "rollback x"),),
        Budget(ticks=2, looks=(1, 1)),
        mended=True,
    ),
    "restored-while-releasing": Scenario(
        "the table is restored to a time before the release that serves, while the next one comes",
        backed_up,
        (("restore the table",), ("release v3",)),
        Budget(ticks=2, looks=(1, 1)),
        mended=True,
    ),
    "experiment-guilty": Scenario(
        "a canary that broke both versions is taken out of the traffic; any function dies once",
        judging,
        left=Budget(crashes=1, ticks=3),
        way="guilty",
    ),
    "experiment-innocent": Scenario(
        "one that did not gets its weight back, twice, and is promoted; any function dies once",
        judging,
        left=Budget(crashes=1, ticks=3),
        way="innocent",
    ),
    "experiment-unheard": Scenario(
        "the same; a look goes on that its machine hears nothing of",
        judging,
        left=Budget(lost=2, ticks=3),
        way="innocent",
    ),
    "experiment-late-look": Scenario(
        "a look that wanted the first experiment comes to the plan when it has the second",
        looking_late,
        left=Budget(ticks=3),
        way="innocent",
    ),
    "experiment-rollback": Scenario(
        "somebody rolls back in the middle of an experiment; the reconcilers look",
        looking,
        (("rollback x",),),
        Budget(ticks=3, looks=(1, 1)),
        way="innocent",
    ),
    "experiment-rollback-death": Scenario(
        "the same; any function dies once",
        looking,
        (("rollback x",),),
        Budget(crashes=1, ticks=2),
        way="guilty",
    ),
    "experiment-stopped": Scenario(
        "somebody stops an execution in the middle of an experiment, and somebody else starts the next release",
        looking,
        (("release v3",),),
        Budget(stops=1, ticks=3, looks=(1, 1)),
        way="innocent",
    ),
    "pause-while-shifting": Scenario(
        "a release about to shift, and somebody pauses it",
        shifting,
        (("pause release2",),),
        Budget(ticks=4),
    ),
    "pause-while-shifting-death": Scenario(
        "the same; any function dies once, and what it sent lands late or never",
        shifting,
        (("pause release2",),),
        Budget(crashes=1, ticks=3),
    ),
    "pause-and-resume": Scenario(
        "somebody pauses a release about to shift, and lets it go on; any function dies once",
        shifting,
        (("pause release2", "resume release2"),),
        Budget(crashes=1, ticks=3),
    ),
    "pause-and-rollback": Scenario(
        "somebody pauses a release about to shift and lets it go on, while somebody else rolls back",
        shifting,
        (("pause release2", "resume release2"), ("rollback x",)),
        Budget(ticks=3),
    ),
    "pause-while-deploying": Scenario(
        "somebody pauses a release about to deploy, and lets it go on; calls get no answer, done or not",
        deploying,
        (("pause release2", "resume release2"),),
        Budget(errors=1, ticks=3),
    ),
    "pause-while-judging": Scenario(
        "somebody pauses a canary that is judged, and lets it go on; any function dies once",
        judging,
        (("pause release2", "resume release2"),),
        Budget(crashes=1, ticks=4),
        way="canary",
    ),
    "pause-while-promoting": Scenario(
        "somebody pauses a release about to be promoted, and lets it go on; any function dies once",
        promoting,
        (("pause release2", "resume release2"),),
        Budget(crashes=1, ticks=3),
    ),
    "pause-in-place": Scenario(
        "somebody pauses a version that comes in place of another one, and lets it go on; any function dies once",
        deploying_first,
        (("pause release2", "resume release2"),),
        Budget(crashes=1, ticks=3),
        way="in place",
    ),
    "pause-of-another": Scenario(
        "people mean a release that is over while another one is about to shift",
        shifting,
        (("pause release2", "resume release1"), ("pause release1",)),
        Budget(ticks=2),
    ),
    "pause-stopped": Scenario(
        "somebody pauses a release and lets it go on, its execution is stopped, and somebody else starts the next one",
        shifting,
        (("pause release2", "resume release2"), ("release v3",)),
        Budget(stops=1, ticks=3, looks=(1, 1)),
    ),
    "promote-while-deploying": Scenario(
        "somebody promotes a release about to deploy; any function dies once",
        deploying,
        (("promote release2",),),
        Budget(crashes=1, ticks=4),
        way="canary",
    ),
    "promote-while-judging": Scenario(
        "somebody promotes a canary that is judged; any function dies once",
        judging,
        (("promote release2",),),
        Budget(crashes=1, ticks=4),
        way="canary",
    ),
    "promote-unheard": Scenario(
        "the same; a look goes on that its machine hears nothing of",
        judging,
        (("promote release2",),),
        Budget(lost=1, ticks=4),
        way="canary",
    ),
    "promote-and-rollback": Scenario(
        "somebody promotes a canary that is judged, and somebody else rolls back",
        judging,
        (("promote release2",), ("rollback x",)),
        Budget(ticks=3),
        way="canary",
    ),
    "promote-and-pause": Scenario(
        "somebody promotes a canary that is judged, and somebody else pauses it and lets it go on",
        judging,
        (("promote release2",), ("pause release2", "resume release2")),
        Budget(ticks=3),
        way="canary",
    ),
    "promote-guilty": Scenario(
        "somebody promotes a canary while its judge finds that it broke both versions",
        judging,
        (("promote release2",),),
        Budget(ticks=3),
        way="guilty",
    ),
    "promote-innocent": Scenario(
        "somebody promotes a canary while its judge puts experiments into the plan; any function dies once",
        judging,
        (("promote release2",),),
        Budget(crashes=1, ticks=3),
        way="innocent",
    ),
    "promote-while-asking": Scenario(
        "somebody promotes a release that is about to ask a question; any function dies once, what it sent lands late or never",
        asking,
        (("promote release2",),),
        Budget(crashes=1, ticks=4),
        way="asked",
    ),
    "promote-while-asking-unheard": Scenario(
        "the same; who asks goes on, and its machine hears nothing of it and asks again",
        asking,
        (("promote release2",),),
        Budget(lost=1, ticks=4),
        way="asked",
    ),
    "promote-while-asking-unanswered": Scenario(
        "the same; calls get no answer, done or not",
        asking,
        (("promote release2",),),
        Budget(errors=1, ticks=4),
        way="asked",
    ),
    "promote-worker": Scenario(
        "somebody promotes a worker's release about to shift; the reconciler of the cluster looks",
        shifting,
        (("promote release2",),),
        Budget(ticks=4, looks=(0, 1)),
        way="shares",
    ),
    "abort-while-shifting": Scenario(
        "somebody aborts a release about to shift; any function dies once",
        shifting,
        (("abort release2",),),
        Budget(crashes=1, ticks=3),
    ),
    "abort-while-promoting": Scenario(
        "somebody aborts a release about to be promoted",
        promoting,
        (("abort release2",),),
        Budget(ticks=4),
    ),
    "frozen": Scenario(
        "a release is asked for while releases are frozen; any function dies once",
        frozen,
        (("release v2",),),
        Budget(crashes=1, ticks=3),
        way="frozen",
    ),
    "frozen-while-deploying": Scenario(
        "releases are frozen since one began that no user has met; any function dies once",
        frozen_while_deploying,
        left=Budget(crashes=1, ticks=3, looks=(1, 1)),
        way="frozen",
    ),
    "frozen-before-weight": Scenario(
        "the same, when all that is left is to give it weight",
        frozen_before_weight,
        left=Budget(ticks=3),
        way="frozen",
    ),
    "freeze-while-beginning": Scenario(
        "somebody freezes releases while one begins; any function dies once",
        serving,
        (("release v2",), ("freeze",)),
        Budget(crashes=1, ticks=3, looks=(1, 0)),
        way="frozen",
    ),
    "freeze-while-shifting": Scenario(
        "somebody freezes releases while one is about to shift; calls get no answer, done or not",
        shifting,
        (("freeze",),),
        Budget(errors=1, ticks=3),
        way="frozen",
    ),
    "unanswered": Scenario(
        "a release about to shift, and somebody rolls back; calls get no answer, done or not",
        shifting,
        (("rollback x",),),
        Budget(errors=1, ticks=3),
    ),
    "deploying-unanswered": Scenario(
        "a release about to deploy, and somebody rolls back; calls get no answer, done or not",
        deploying,
        (("rollback x",),),
        Budget(errors=1, ticks=3),
    ),
    "drift": Scenario(
        "somebody deletes an autoscaler, changes an image and the number of Pods, while nothing runs",
        serving,
        (
            ("delete the autoscaler of green", "set the image of green to v9"),
            ("scale green to 0", "scale blue to 3"),
        ),
        Budget(looks=(1, 1)),
        mended=True,
    ),
    "drift-before-weight": Scenario(
        "somebody sets another image where a release has just deployed",
        overwritten,
        left=Budget(ticks=5),
    ),
    "drift-of-the-rule": Scenario(
        "somebody turned the rule to a slot that has Pods, away from one that has none any more",
        turned,
        left=Budget(looks=(2, 1)),
        mended=True,
    ),
    "drift-while-releasing": Scenario(
        "somebody deletes an autoscaler and takes Pods away while the next version comes",
        deploying,
        (("delete the autoscaler of green",), ("scale blue to 0",)),
        Budget(ticks=3, looks=(0, 1)),
        mended=True,
    ),
}
