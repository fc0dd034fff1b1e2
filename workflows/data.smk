# The data sets that the plan of this scale names, verified against params/datasets.yaml.


rule prepare:
    input:
        "params/datasets.yaml",
        f"{RESULTS}/code/datasets",
        f"{RESULTS}/code/prepare",
    output:
        f"{RESULTS}/data/manifest.json",
    shell:
        f"{PYTHON} -m stages prepare --scale {SCALE}"
