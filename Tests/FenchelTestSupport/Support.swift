import Fenchel
