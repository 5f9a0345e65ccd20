/// Every experiment, in the order of the papers. A new one is a file of its own and a line here.
public enum ExperimentCatalogue {
  public static let all: [any Experiment] = [
    Askari2018.Figure1(), Askari2018.Table1(), Gu2019.Figure1(), Gu2019.Figure2(), Gu2019.Figure3(),
    Gu2019.Figure4(), Gu2019.Figure4(isAugmented: true),
    Gu2019.DeepNetworks(), Gu2019.Appendices(), Ergen2021.Figure4(), Ergen2021.Figure5(), Ergen2021.Table1(),
    PilanciSlides.Toy(), PilanciSlides.Planted(form: .quadratic), PilanciSlides.Planted(form: .polynomial),
    PilanciSlides.Electrocardiogram(), PilanciSlides.Faces(),
  ]

  /// What may be asked for: `all`, a paper, an experiment.
  public static var names: [String] {
    var names = ["all"]
    for experiment in all {
      if !names.contains(experiment.paper.key) { names.append(experiment.paper.key) }
      names.append(experiment.name)
    }
    return names
  }

  /// The experiments of a name: one by its own, those of a paper by the paper's, every one by `all`; none for other names.
  public static func experiments(named name: String) -> [any Experiment] {
    all.filter { name == "all" || name == $0.paper.key || name == $0.name }
  }
}
