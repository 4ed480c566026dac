"""Evaluation: the same questions to several models, graded, compared with statistics, and reported.

    datasets -> layouts -> items -> arms (who answers) -> scorers -> records -> store
                                                                                  |
                                                     report <- statistics <- results

Everything here runs in one process and without Ray; `deployments.evaluation` spreads the same parts over a cluster.
"""
