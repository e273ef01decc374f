"""The same training on many processes: of this machine, of a cluster, or of Ray.

`spec` is a training as a folder, `worker` what each process does with it, `desk` what they write there and hear from there,
`processes` and `ray` start them, `away` is what one sees of them from a notebook. The engine is `torch.distributed`.
"""

from saewidgets.cluster.away import Away, SweepAway
from saewidgets.cluster.processes import Processes
from saewidgets.cluster.ray import Ray
from saewidgets.cluster.spec import save_job
from saewidgets.cluster.worker import work

__all__ = ["Away", "Processes", "Ray", "SweepAway", "save_job", "work"]
