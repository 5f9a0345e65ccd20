/// Pilanci's lecture slides on networks as convex programs.
enum PilanciSlides {
  static let paper = Paper(
    key: "pilanci-slides",
    citation:
      "M. Pilanci: Convex Optimization for Neural Networks. Lecture slides, Stanford University; the program is that of "
      + "M. Pilanci, T. Ergen: Neural Networks are Convex Regularizers. ICML 2020")
}
